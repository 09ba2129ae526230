//go:build linux

package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Bubblewrap is a Runner over bwrap.
type Bubblewrap struct {
	o     Options
	extra []string // flags that only newer versions know
}

// NewBubblewrap finds bwrap and tries it: it fails with ErrUnavailable where programs
// could not be contained.
func NewBubblewrap(o Options) (*Bubblewrap, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if o.Path == "" {
		path, err := exec.LookPath("bwrap")
		if err != nil {
			return nil, fmt.Errorf("%w: want the command bwrap (package bubblewrap): %w", ErrUnavailable, err)
		}
		o.Path = path
	}
	b := &Bubblewrap{o: o}
	if help, err := exec.Command(o.Path, "--help").CombinedOutput(); err == nil && bytes.Contains(help, []byte("--disable-userns")) {
		b.extra = []string{"--unshare-user", "--disable-userns"}
	}
	r, err := b.Run(context.Background(), Program{Command: []string{"true"}})
	if err != nil || r.Exit != 0 {
		return nil, fmt.Errorf("%w: %s true: exit status %d: %s (%w)", ErrUnavailable, o.Path, r.Exit, bytes.TrimSpace(r.Stderr), err)
	}
	return b, nil
}

// nobody is the user that programs run as.
const nobody = 65534

// home is the folder that programs start in.
const home = "/home"

// arguments are those of bwrap; files come through the descriptors from first on.
func (b *Bubblewrap) arguments(p Program, names []string, first int) []string {
	size := strconv.FormatInt(b.o.Files, 10)
	args := []string{
		"--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL", "--uid", "65534", "--gid", "65534",
		"--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", home, "--setenv", "LANG", "C.UTF-8",
		"--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
		"--proc", "/proc", "--dev", "/dev", "--size", size, "--tmpfs", "/tmp", "--size", size, "--tmpfs", home,
		"--info-fd", "3", "--block-fd", "4",
	}
	args = append(args, b.extra...)
	for _, path := range b.o.ReadOnly {
		args = append(args, "--ro-bind", path, path)
	}
	for i, name := range names {
		args = append(args, "--file", strconv.Itoa(first+i), home+"/"+name)
	}
	return append(append(args, "--chdir", home, "--"), p.Command...)
}

// Run runs a program to its end, or to the first limit that it breaks.
func (b *Bubblewrap) Run(ctx context.Context, p Program) (Result, error) {
	if err := p.Check(); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.o.Time)
	defer cancel()
	s := &session{b: b, stop: cancel}
	defer s.close()
	if err := s.prepare(ctx, p); err != nil {
		return Result{}, err
	}
	err := s.run()
	r := Result{Stdout: s.stdout.bytes(), Stderr: s.stderr.bytes(), Exit: s.cmd.ProcessState.ExitCode()}
	return r, s.verdict(ctx, err)
}

// session is one run.
type session struct {
	b              *Bubblewrap
	cmd            *exec.Cmd
	stop           context.CancelFunc
	stdout, stderr *limited
	open           []*os.File // descriptors to close
	info, block    *os.File   // our ends
}

// prepare makes the command with its pipes.
func (s *session) prepare(ctx context.Context, p Program) error {
	names := slices.Sorted(maps.Keys(p.Files))
	s.cmd = exec.CommandContext(ctx, s.b.o.Path, s.b.arguments(p, names, 5)...)
	s.cmd.Stdin = bytes.NewReader(p.Stdin)
	s.stdout, s.stderr = &limited{most: s.b.o.Output, over: s.stop}, &limited{most: s.b.o.Output, over: s.stop}
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	s.cmd.WaitDelay = time.Second
	s.cmd.Env = []string{}
	if os.Geteuid() == 0 {
		// The kernel does not count the processes of root.
		s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	infoRead, infoWrite, err := s.pipe()
	if err != nil {
		return err
	}
	blockRead, blockWrite, err := s.pipe()
	if err != nil {
		return err
	}
	s.info, s.block = infoRead, blockWrite
	s.cmd.ExtraFiles = []*os.File{infoWrite, blockRead}
	for _, name := range names {
		f, err := s.memory(p.Files[name])
		if err != nil {
			return err
		}
		s.cmd.ExtraFiles = append(s.cmd.ExtraFiles, f)
	}
	return nil
}

func (s *session) pipe() (r, w *os.File, err error) {
	if r, w, err = os.Pipe(); err == nil {
		s.open = append(s.open, r, w)
	}
	return r, w, err
}

// memory is a file without a name that holds data.
func (s *session) memory(data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("sandbox", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	f := os.NewFile(uintptr(fd), "sandbox")
	s.open = append(s.open, f)
	if _, err = f.Write(data); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	return f, err
}

func (s *session) close() {
	for _, f := range s.open {
		f.Close() // a second time, some: that is an error without a meaning
	}
}

// run starts the program, limits it before it does anything, and waits.
func (s *session) run() error {
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for _, f := range s.cmd.ExtraFiles {
		f.Close()
	}
	limitErr := s.limit()
	if limitErr == nil {
		_, limitErr = s.block.Write([]byte{1})
	}
	if limitErr != nil {
		s.stop()
	}
	s.block.Close()
	err := s.cmd.Wait()
	if limitErr != nil && s.stderr.bytes() == nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, limitErr), err)
	}
	return err
}

// limit sets the limits of the process inside, which waits until it is told to go on;
// everything that it starts inherits them.
func (s *session) limit() error {
	var info struct {
		Child int `json:"child-pid"`
	}
	if err := json.NewDecoder(s.info).Decode(&info); err != nil {
		return fmt.Errorf("bwrap told no process: %w", err)
	}
	o := s.b.o
	seconds := uint64((o.CPU + time.Second - 1) / time.Second)
	for _, l := range []struct {
		what int
		most uint64
	}{
		{unix.RLIMIT_AS, uint64(o.Memory)}, {unix.RLIMIT_NPROC, uint64(o.Processes)}, {unix.RLIMIT_CPU, seconds},
		{unix.RLIMIT_FSIZE, uint64(o.Files)}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, 256},
	} {
		if err := unix.Prlimit(info.Child, l.what, &unix.Rlimit{Cur: l.most, Max: l.most}, nil); err != nil {
			return fmt.Errorf("limit %d of process %d: %w", l.what, info.Child, err)
		}
	}
	return nil
}

// verdict says why a program did not end by itself, nil if it did.
func (s *session) verdict(ctx context.Context, err error) error {
	var exit *exec.ExitError
	switch {
	case errors.Is(err, ErrUnavailable):
		return err
	case s.stdout.full() || s.stderr.full():
		return fmt.Errorf("%w: it wrote more than %d bytes", ErrStopped, s.b.o.Output)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: it ran longer than allowed (%v at most): %w", ErrStopped, s.b.o.Time, context.DeadlineExceeded)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrStopped, ctx.Err())
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		return fmt.Errorf("sandbox: %w", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Errorf("%w: it died of signal %v", ErrStopped, status.Signal())
	}
	if code := exit.ExitCode(); code > 128 && code <= 128+64 { // bwrap's way to pass on a signal
		return fmt.Errorf("%w: it died of signal %v", ErrStopped, syscall.Signal(code-128))
	}
	return nil
}

// limited keeps what is written, up to a limit, and then stops the program.
type limited struct {
	most int
	over func()

	mu   sync.Mutex
	kept []byte
	lost bool
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	room := l.most - len(l.kept)
	l.kept = append(l.kept, p[:min(len(p), room)]...)
	if len(p) > room && !l.lost {
		l.lost = true
		l.over()
	}
	return len(p), nil
}

func (l *limited) bytes() []byte { l.mu.Lock(); defer l.mu.Unlock(); return l.kept }
func (l *limited) full() bool    { l.mu.Lock(); defer l.mu.Unlock(); return l.lost }

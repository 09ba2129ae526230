package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors that Run and NewBubblewrap wrap.
var (
	// ErrUnavailable says that programs cannot be contained on this machine.
	ErrUnavailable = errors.New("sandbox: programs cannot be contained here")
	// ErrStopped says that a program did not end by itself: it broke a limit, or died of
	// a signal.
	ErrStopped = errors.New("sandbox: the program was stopped")
	// ErrProgram says that a Program cannot be run as it is.
	ErrProgram = errors.New("sandbox: bad program")
)

// Program is what a Runner runs.
type Program struct {
	// Command is the program's path, or its name in /usr/bin, and its arguments.
	Command []string
	// Files are put into the folder that the program starts in; names have no path.
	Files map[string][]byte
	// Stdin is what the program can read.
	Stdin []byte
}

// Check reports everything wrong with the program.
func (p Program) Check() error {
	var faults []error
	if len(p.Command) == 0 || p.Command[0] == "" {
		faults = append(faults, fmt.Errorf("%w: Command: got none, want a path or a name", ErrProgram))
	}
	for _, word := range p.Command {
		if strings.ContainsRune(word, 0) {
			faults = append(faults, fmt.Errorf("%w: Command: %q has a zero byte", ErrProgram, word))
		}
	}
	for name := range p.Files {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			faults = append(faults, fmt.Errorf("%w: Files: got the name %q, want one without a path", ErrProgram, name))
		}
	}
	return errors.Join(faults...)
}

// Result is how a program ended by itself.
type Result struct {
	Stdout, Stderr []byte
	Exit           int
}

// Runner runs programs. Run is safe for concurrent use. It returns what there is of a
// Result with an error that wraps ErrStopped too.
type Runner interface {
	Run(ctx context.Context, p Program) (Result, error)
}

// Options are the limits of a Bubblewrap. The zero value is good for small programs.
type Options struct {
	Time      time.Duration // of the clock on the wall; 0 means 10 s
	CPU       time.Duration // of the processor, each process, in whole seconds; 0 means Time
	Memory    int64         // bytes of address space of each process; 0 means 512 MiB
	Processes int           // and threads, at once; 0 means 32
	Files     int64         // bytes that the program's folders, which are in memory, can hold; 0 means 32 MiB
	Output    int           // bytes of stdout, and of stderr; 0 means 1 MiB
	// ReadOnly are further files or folders that the program can read, such as an
	// interpreter outside of /usr.
	ReadOnly []string
	// Path is bwrap; "" looks for it.
	Path string
}

// Validate reports everything wrong with the options.
func (o Options) Validate() error {
	var faults []error
	for name, v := range map[string]int64{
		"Time": int64(o.Time), "CPU": int64(o.CPU), "Memory": o.Memory, "Processes": int64(o.Processes), "Files": o.Files, "Output": int64(o.Output),
	} {
		if v < 0 {
			faults = append(faults, fmt.Errorf("sandbox: %s: got %d, want a positive number, or 0 for the default", name, v))
		}
	}
	for _, path := range o.ReadOnly {
		if !strings.HasPrefix(path, "/") {
			faults = append(faults, fmt.Errorf("sandbox: ReadOnly: got %q, want an absolute path", path))
		}
	}
	return errors.Join(faults...)
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	pick := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	pick((*int64)(&o.Time), int64(10*time.Second))
	pick((*int64)(&o.CPU), int64(o.Time))
	pick(&o.Memory, 512<<20)
	pick(&o.Files, 32<<20)
	if o.Processes == 0 {
		o.Processes = 32
	}
	if o.Output == 0 {
		o.Output = 1 << 20
	}
	return o
}

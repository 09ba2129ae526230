package train

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sumsName is the checksum file of a checkpoint, in the format of sha256sum.
const sumsName = "SHA256SUMS"

// maxSums bounds a checksum file: about 10,000 files.
const maxSums = 1 << 20

// ErrCorrupt is wrapped by errors about files that are not as they were written.
var ErrCorrupt = errors.New("train: damaged checkpoint")

// listFiles lists the files below dir by slash-separated name, in order.
func listFiles(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s: got %s, want files only", path, d.Type())
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	return names, err
}

// sumFiles makes the checksum file of the named files below dir.
func sumFiles(dir string, names []string) ([]byte, error) {
	var out bytes.Buffer
	for _, name := range names {
		if strings.ContainsAny(name, "\n\r\\") {
			return nil, fmt.Errorf("file %q: want a name without line break and backslash", name)
		}
		sum, err := sumFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%s  %s\n", sum, name)
	}
	return out.Bytes(), nil
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// verify checks a folder against its checksum file. Errors about what is in
// there wrap ErrCorrupt; files that are not listed are none of its business.
func verify(dir string) error {
	path := filepath.Join(dir, sumsName)
	raw, err := readBounded(path, maxSums)
	if err != nil {
		return corrupt(err)
	}
	sums, err := parseSums(raw)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, path, err)
	}
	var faults []error
	for name, want := range sums {
		file := filepath.Join(dir, filepath.FromSlash(name))
		got, err := sumFile(file)
		switch {
		case err != nil:
			faults = append(faults, corrupt(err))
		case got != want:
			faults = append(faults, fmt.Errorf("%w: %s: got SHA-256 %.12s…, want %.12s…", ErrCorrupt, file, got, want))
		}
	}
	return errors.Join(faults...)
}

// corrupt marks a missing or overlong file as damage; other errors (permission,
// input/output) are not.
func corrupt(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errTooLong) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return fmt.Errorf("train: checkpoint: %w", err)
}

// parseSums reads lines of a SHA-256 in lower-case hex, two spaces, a name.
func parseSums(raw []byte) (map[string]string, error) {
	sums := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, maxSums+1)
	for n := 1; lines.Scan(); n++ {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if b, err := hex.DecodeString(sum); !ok || err != nil || len(b) != sha256.Size {
			return nil, fmt.Errorf("line %d: got %.80q, want a SHA-256, two spaces and a name", n, lines.Text())
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fmt.Errorf("line %d: got name %.80q, want one inside the folder", n, name)
		}
		if _, twice := sums[name]; twice {
			return nil, fmt.Errorf("line %d: got %.80q twice", n, name)
		}
		sums[name] = strings.ToLower(sum)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(raw) == 0 || raw[len(raw)-1] != '\n' {
		return nil, errors.New("got no line break at the end, want a complete file")
	}
	for _, name := range []string{stateName, optimizerName} {
		if _, ok := sums[name]; !ok {
			return nil, fmt.Errorf("got no line for %s", name)
		}
	}
	return sums, nil
}

var errTooLong = errors.New("file too long")

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("%s: %w: got more than %d bytes", path, errTooLong, limit)
	}
	return raw, err
}

package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Limits on what a header may claim. The first is the reference library's; the
// others hold the memory of parsing below the size of the file plus 64 MiB.
const (
	maxHeader  = 100_000_000
	maxEntries = 1 << 17 // tensors and metadata together
	maxRank    = 64
	leastEntry = 49 // bytes of the shortest tensor description
)

const metadataKey = "__metadata__"

// parse reads the header of f. Call it inside Guard.
func (f *File) parse() error {
	lead, err := f.file.Section(0, min(8, f.file.Size()))
	if err != nil {
		return err
	}
	if len(lead) < 8 {
		return fmt.Errorf("got a file of %d bytes, want at least the 8 of the header's length", len(lead))
	}
	n := binary.LittleEndian.Uint64(lead)
	if n > maxHeader {
		return fmt.Errorf("header length: got %d, want at most %d%s", n, maxHeader, guess(lead))
	}
	if int64(n) > f.file.Size()-8 {
		return fmt.Errorf("header length: got %d, want at most the %d bytes that follow", n, f.file.Size()-8)
	}
	raw, err := f.file.Section(8, int64(n))
	if err != nil {
		return err
	}
	f.data = 8 + int64(n)
	f.byName = map[string]int{}
	if err := f.header(raw); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	return f.place()
}

// guess names what a file without a sane header length probably is.
func guess(lead []byte) string {
	s := string(lead)
	switch {
	case strings.HasPrefix(s, "version "):
		return " (this looks like a Git LFS pointer: fetch the file itself)"
	case strings.HasPrefix(s, "PK"), strings.HasPrefix(s, "\x80"):
		return " (this looks like a PyTorch pickle checkpoint, which runs code when it is loaded and is not supported: convert it to safetensors)"
	case strings.HasPrefix(s, "GGUF"):
		return " (this is a GGUF file: open it with package gguf)"
	case strings.HasPrefix(strings.ToLower(s), "<html"), strings.HasPrefix(s, "<!"):
		return " (this looks like a web page)"
	}
	return ""
}

func (f *File) header(raw []byte) error {
	s := &scanner{b: raw}
	f.tensors = make([]Tensor, 0, min(maxEntries, len(raw)/leastEntry))
	sawMetadata := false
	err := s.object(func(name string) error {
		if len(f.tensors)+len(f.metadata) >= maxEntries {
			return fmt.Errorf("got more than %d tensors and metadata values", maxEntries)
		}
		if name == metadataKey {
			if sawMetadata {
				return fmt.Errorf("got %s twice", metadataKey)
			}
			sawMetadata = true
			return f.readMetadata(s)
		}
		if _, ok := f.byName[name]; ok {
			return fmt.Errorf("tensor %q: got the name twice", clip(name))
		}
		t, err := readEntry(s, name)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", clip(name), err)
		}
		t.file = f.file
		f.byName[name] = len(f.tensors)
		f.tensors = append(f.tensors, t)
		return nil
	})
	if err != nil {
		return err
	}
	return s.end()
}

func (f *File) readMetadata(s *scanner) error {
	if s.null() {
		return nil
	}
	f.metadata = map[string]string{}
	return s.object(func(name string) error {
		if _, ok := f.metadata[name]; ok {
			return fmt.Errorf("metadata %q: got the name twice", clip(name))
		}
		if len(f.tensors)+len(f.metadata) >= maxEntries {
			return fmt.Errorf("got more than %d tensors and metadata values", maxEntries)
		}
		v, err := s.text()
		if err != nil {
			return fmt.Errorf("metadata %q: %w", clip(name), err)
		}
		f.metadata[name] = v
		return nil
	})
}

var entryFields = [...]string{"dtype", "shape", "data_offsets"}

// readEntry reads one tensor's object; its offsets are still relative.
func readEntry(s *scanner, name string) (Tensor, error) {
	t := Tensor{name: name}
	var shape, offsets []uint64
	var seen [len(entryFields)]bool
	err := s.object(func(field string) (err error) {
		i := slices.Index(entryFields[:], field)
		if i < 0 {
			return s.skip()
		}
		if seen[i] {
			return fmt.Errorf("got %s twice", field)
		}
		seen[i] = true
		switch i {
		case 0:
			var dtype string
			if dtype, err = s.text(); err == nil {
				t.dtype, err = ParseDtype(dtype)
			}
		case 1:
			shape, err = wholes(s, s.dims[:0])
		default:
			offsets, err = wholes(s, s.ends[:0])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	for i, field := range entryFields {
		if !seen[i] {
			return t, fmt.Errorf("got no %s", field)
		}
	}
	if len(offsets) != 2 {
		return t, fmt.Errorf("data_offsets: got %d numbers, want 2", len(offsets))
	}
	return t, t.measure(shape, offsets[0], offsets[1])
}

// wholes appends an array of whole numbers to v, as many as fit.
func wholes(s *scanner, v []uint64) ([]uint64, error) {
	err := s.array(func() error {
		if len(v) == cap(v) {
			return fmt.Errorf("got more than %d numbers", cap(v))
		}
		n, err := s.whole()
		v = append(v, n)
		return err
	})
	return v, err
}

// measure checks shape, element type and offsets against each other.
func (t *Tensor) measure(shape []uint64, begin, end uint64) error {
	n, size, err := byteSize(t.dtype, shape)
	if err != nil {
		return err
	}
	if begin > end || end > math.MaxInt64 {
		return fmt.Errorf("data_offsets: got [%d %d], want a rising pair below 2⁶³", begin, end)
	}
	if end-begin != size {
		return fmt.Errorf("got %d bytes in data_offsets, want %d for shape %d of %s", end-begin, size, shape, t.dtype)
	}
	if n > math.MaxInt {
		return errors.New("got more numbers than this machine can count")
	}
	t.n, t.off, t.size = int(n), int64(begin), int64(size)
	t.shape = make([]int, len(shape))
	for i, d := range shape {
		// Only a shape with a zero dimension can be this large.
		t.shape[i] = int(min(d, math.MaxInt))
	}
	return nil
}

// place sorts tensors by their place in the file, checks that they cover it
// without hole or overlap, and makes offsets absolute.
func (f *File) place() error {
	slices.SortStableFunc(f.tensors, func(a, b Tensor) int {
		switch {
		case a.off != b.off && a.off < b.off, a.off == b.off && a.size < b.size:
			return -1
		case a.off == b.off && a.size == b.size:
			return 0
		}
		return 1
	})
	at := int64(0)
	for i := range f.tensors {
		t := &f.tensors[i]
		if t.off != at {
			what := "a hole"
			if t.off < at {
				what = "an overlap"
			}
			return fmt.Errorf("tensor %q: got %s: data starts at %d, want %d", clip(t.name), what, t.off, at)
		}
		at += t.size // no overflow: offset and size are consistent and below 2⁶³
		t.off += f.data
		f.byName[t.name] = i
	}
	if got := f.file.Size() - f.data; got != at {
		return fmt.Errorf("got %d bytes of data, want the %d of the header", got, at)
	}
	return nil
}

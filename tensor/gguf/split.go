package gguf

import (
	"errors"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/tensor/internal/mapped"
)

// Keys of split models. Part 1 has every key, the others only these.
const (
	splitNoKey      = "split.no" // from 0, while file names count from 1
	splitCountKey   = "split.count"
	splitTensorsKey = "split.tensors.count" // over all parts
)

// addSplits opens the parts behind the first, if there are any.
func (f *File) addSplits(openPart func(string) (*mapped.File, error)) error {
	first := f.parts[0]
	no, count, err := first.split()
	if err != nil || count <= 1 {
		return err
	}
	tail := fmt.Sprintf("-%05d-of-%05d.gguf", no+1, count)
	stem, ok := strings.CutSuffix(first.file.Name(), tail)
	switch {
	case openPart == nil:
		return fmt.Errorf("gguf: %s: got part %d of %d, want a whole model or the path of its first part", first.file.Name(), no+1, count)
	case !ok:
		return fmt.Errorf("gguf: %s: got part %d of %d under this name, want one that ends in %q", first.file.Name(), no+1, count, tail)
	case no != 0:
		return fmt.Errorf("gguf: %s: got part %d of %d, want the first: open %s-00001-of-%05d.gguf", first.file.Name(), no+1, count, stem, count)
	}
	for i := uint64(1); i < count; i++ {
		m, err := openPart(fmt.Sprintf("%s-%05d-of-%05d.gguf", stem, i+1, count))
		if err != nil {
			return fmt.Errorf("gguf: %s: part %d of %d: %w", first.file.Name(), i+1, count, err)
		}
		if err := f.add(m); err != nil {
			return err
		}
		gotNo, gotCount, err := f.parts[i].split()
		if err != nil {
			return err
		}
		if gotNo != i || gotCount != count {
			return fmt.Errorf("gguf: %s: got %s %d and %s %d, want %d and %d", m.Name(), splitNoKey, gotNo, splitCountKey, gotCount, i, count)
		}
	}
	want, err := f.Uint(splitTensorsKey)
	if err != nil {
		return err
	}
	if want != uint64(f.Len()) {
		return fmt.Errorf("gguf: %s: got %d tensors in %d parts, want the %d of %s", first.file.Name(), f.Len(), count, want, splitTensorsKey)
	}
	return nil
}

// split reads which part this is; a file without the keys is part 0 of 1.
func (p *part) split() (no, count uint64, err error) {
	count, err = p.uint(splitCountKey)
	if errors.Is(err, ErrNotFound) {
		return 0, 1, nil
	}
	if err != nil {
		return 0, 0, err
	}
	no, err = p.uint(splitNoKey)
	return no, count, err
}

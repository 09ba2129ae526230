package gguf

import (
	"fmt"
	"slices"

	"github.com/posttrain/posttrain/tensor/internal/mapped"
)

// Tensor is one tensor of an open [File]: its description, and its data while
// the file is open. It is a small value; copies are cheap.
type Tensor struct {
	file  *mapped.File
	name  string
	typ   Type
	shape [maxRank]int
	rank  int
	n     int // numbers
	row   int // numbers of a row
	off   int64
	size  int64
}

// Name is the name in the file, as in "blk.0.attn_q.weight".
func (t Tensor) Name() string { return t.name }

// Type is the encoding of the data.
func (t Tensor) Type() Type { return t.typ }

// Shape lists the dimensions, outermost first as in Go and PyTorch; the file
// lists them the other way round. The last one is the length of a row. A linear
// layer is (out, in).
func (t Tensor) Shape() []int { return slices.Clone(t.shape[:t.rank]) }

// Len is the count of numbers.
func (t Tensor) Len() int { return t.n }

// Rows is the count of rows, Len divided by the last dimension.
func (t Tensor) Rows() int {
	if t.row == 0 {
		return 0
	}
	return t.n / t.row
}

// Size is the count of bytes in the file.
func (t Tensor) Size() int64 { return t.size }

// View calls fn with the encoded bytes, a window of the file that is valid only
// during the call and must not be written to. Where the file is mapped nothing
// is copied, and a file that shrinks meanwhile makes View return an error.
func (t Tensor) View(fn func(data []byte) error) error {
	if t.file == nil {
		return fmt.Errorf("gguf: got the zero Tensor, want one from a File")
	}
	return t.wrap(t.file.Guard(func() error {
		b, err := t.file.Section(t.off, t.size)
		if err != nil {
			return err
		}
		return fn(b)
	}))
}

// Float32 decodes the tensor into fresh memory, in row-major order.
func (t Tensor) Float32() ([]float32, error) {
	dst := make([]float32, t.n)
	return dst, t.ReadRows(dst, 0)
}

// ReadFloat32 decodes the tensor into dst, whose length must be Len.
func (t Tensor) ReadFloat32(dst []float32) error {
	if len(dst) != t.n {
		return t.wrap(fmt.Errorf("got a destination of %d numbers, want %d", len(dst), t.n))
	}
	return t.ReadRows(dst, 0)
}

// decodeGrain is the least work in numbers that is worth another goroutine.
const decodeGrain = 1 << 16

// ReadRows decodes the rows from first on that fill dst, whose length must be a
// multiple of the last dimension. Rows are decoded by several goroutines when
// there are many; the result does not depend on how many.
func (t Tensor) ReadRows(dst []float32, first int) error {
	if t.file == nil {
		return fmt.Errorf("gguf: got the zero Tensor, want one from a File")
	}
	if !t.typ.Decodes() {
		return t.wrap(fmt.Errorf("decoding type %s is not supported", t.typ))
	}
	if len(dst) == 0 {
		return nil
	}
	if t.row == 0 || len(dst)%t.row != 0 || first < 0 || first > t.Rows()-len(dst)/t.row {
		return t.wrap(fmt.Errorf("got a destination of %d numbers for rows from %d, want rows of %d below %d", len(dst), first, t.row, t.Rows()))
	}
	rowBytes := int64(t.row / t.typ.BlockLen() * t.typ.BlockSize())
	return t.wrap(t.file.Parallel(len(dst)/t.row, max(1, decodeGrain/t.row), func(lo, hi int) error {
		src, err := t.file.Section(t.off+int64(first+lo)*rowBytes, int64(hi-lo)*rowBytes)
		if err != nil {
			return err
		}
		layouts[t.typ].decode(dst[lo*t.row:hi*t.row], src)
		return nil
	}))
}

func (t Tensor) wrap(err error) error {
	if err == nil {
		return nil
	}
	name := "(none)"
	if t.file != nil {
		name = t.file.Name()
	}
	return fmt.Errorf("gguf: %s: tensor %q: %w", name, t.name, err)
}

package safetensors

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/posttrain/posttrain/tensor/internal/mapped"
)

// Tensor is one tensor of an open [File] or [Folder]: its description, and its
// data while that is open. It is a small value; copies are cheap.
type Tensor struct {
	file  *mapped.File
	name  string
	dtype Dtype
	shape []int
	n     int
	off   int64
	size  int64
}

// Name is the name in the file.
func (t Tensor) Name() string { return t.name }

// Dtype is the type of the elements.
func (t Tensor) Dtype() Dtype { return t.dtype }

// Shape lists the dimensions, outermost first; a scalar has none. A dimension
// beyond the range of int, which is legal only beside a zero, comes as
// math.MaxInt.
func (t Tensor) Shape() []int { return slices.Clone(t.shape) }

// Len is the count of elements.
func (t Tensor) Len() int { return t.n }

// Size is the count of bytes.
func (t Tensor) Size() int64 { return t.size }

// View calls fn with the tensor's little-endian bytes, which are valid only
// during the call and must not be written to. Nothing is copied where the file
// is mapped; the bytes then start at any address. A file that shrinks meanwhile
// makes View return [ErrChanged].
func (t Tensor) View(fn func(data []byte) error) error {
	if t.file == nil {
		return fmt.Errorf("safetensors: got the zero Tensor, want one from a File")
	}
	return t.wrap(t.file.Guard(func() error {
		b, err := t.file.Section(t.off, t.size)
		if err != nil {
			return err
		}
		return fn(b)
	}))
}

// Bytes returns the tensor's little-endian bytes at an address that is aligned
// for its element type: a window of the mapping where that is aligned, a copy
// where not. The bytes are valid until the file is closed and must not be
// written to. Unlike [Tensor.View] it cannot protect the caller: reading a window
// of a file that has shrunk kills the process.
func (t Tensor) Bytes() ([]byte, error) {
	var out []byte
	err := t.View(func(b []byte) error {
		out = b
		width := uintptr(max(1, t.dtype.Bits()/8))
		if t.dtype == C64 {
			width = 4
		}
		if len(b) > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(b)))%width != 0 {
			out = append(make([]byte, 0, len(b)), b...)
		}
		return nil
	})
	return out, err
}

// Float32 converts the tensor to fresh float32 numbers in row-major order. It
// offers floats of 8 to 64 bits (not the FNUZ kinds), integers and booleans;
// F64 and wide integers are rounded to nearest.
func (t Tensor) Float32() ([]float32, error) {
	if err := t.convertible(); err != nil {
		return nil, err
	}
	dst := make([]float32, t.n)
	return dst, t.ReadFloat32(dst, 0)
}

// convertGrain is the least work in numbers that is worth another goroutine.
const convertGrain = 1 << 17

// ReadFloat32 converts the elements from first on that fill dst, as Float32
// does. Long ones are converted by several goroutines; the result does not
// depend on how many.
func (t Tensor) ReadFloat32(dst []float32, first int) error {
	if err := t.convertible(); err != nil {
		return err
	}
	if first < 0 || first > t.n-len(dst) {
		return t.wrap(fmt.Errorf("got elements %d to %d, want them below %d", first, first+len(dst), t.n))
	}
	width := int64(t.dtype.Bits() / 8)
	return t.wrap(t.file.Parallel(len(dst), convertGrain, func(lo, hi int) error {
		src, err := t.file.Section(t.off+int64(first+lo)*width, int64(hi-lo)*width)
		if err != nil {
			return err
		}
		dtypes[t.dtype].widen(dst[lo:hi], src)
		return nil
	}))
}

func (t Tensor) convertible() error {
	if t.file == nil {
		return fmt.Errorf("safetensors: got the zero Tensor, want one from a File")
	}
	if !t.dtype.Widens() {
		return t.wrap(fmt.Errorf("conversion of %s to float32 is not supported", t.dtype))
	}
	return nil
}

func (t Tensor) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("safetensors: %s: tensor %q: %w", t.file.Name(), clip(t.name), err)
}

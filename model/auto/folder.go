package auto

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// folderSource reads weights from the safetensors files of a folder.
type folderSource struct {
	folder *safetensors.Folder
	// dtype is what the loader wants in the end, zero for any: weights are read
	// as that at once, where it is float32 or float64.
	dtype tensor.Dtype
	// mapped hands out windows of the mapping instead of copies.
	mapped bool
	// prefix is put before the names of the files; empty for none.
	prefix string
}

// missingPrefix is prefix, or nothing where a name of the files has it.
func missingPrefix(folder *safetensors.Folder, prefix string) string {
	for name := range folder.Tensors() {
		if strings.HasPrefix(name, prefix) {
			return ""
		}
	}
	return prefix
}

// Names lists the tensors of all files.
func (s *folderSource) Names() []string {
	var names []string
	for n := range s.folder.Tensors() {
		names = append(names, s.prefix+n)
	}
	return names
}

// Param reads one tensor.
func (s *folderSource) Param(name string) (*tensor.Param, error) {
	t, err := s.folder.Tensor(strings.TrimPrefix(name, s.prefix))
	if err != nil {
		return nil, err
	}
	widen := s.dtype == tensor.Float32 || s.dtype == tensor.Float64
	switch dt := t.Dtype(); {
	case dt == safetensors.F64 && s.dtype == tensor.Float64:
		return copied[float64](name, t)
	case dt == safetensors.F32 && s.mapped:
		return window[float32](name, t)
	case dt == safetensors.BF16 && !widen && s.mapped:
		return window[tensor.BF16](name, t)
	case dt == safetensors.F16 && !widen && s.mapped:
		return window[tensor.F16](name, t)
	case dt == safetensors.BF16 && !widen:
		return copied[tensor.BF16](name, t)
	case dt == safetensors.F16 && !widen:
		return copied[tensor.F16](name, t)
	case dt.Widens() && (dt.Bits() >= 16):
		data, err := t.Float32()
		if err != nil {
			return nil, err
		}
		return tensor.NewParam(name, data, shapeOf(t)...)
	}
	return nil, fmt.Errorf("%w: %s is stored as %v, want F32, F64, BF16 or F16", ErrUnsupported, name, t.Dtype())
}

// copied reads a tensor without converting it. Files are little-endian, as are
// the machines that this library runs on.
func copied[T tensor.BF16 | tensor.F16 | float64](name string, t safetensors.Tensor) (*tensor.Param, error) {
	data := make([]T, t.Len())
	size := int(unsafe.Sizeof(*new(T)))
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), size*len(data))
	// Every goroutine has a View of its own, because that is what guards it
	// against a file that shrinks.
	err := inParallel(len(bytes), func(lo, hi int) error {
		return t.View(func(src []byte) error { copy(bytes[lo:hi], src[lo:hi]); return nil })
	})
	if err != nil {
		return nil, err
	}
	return tensor.NewParam(name, data, shapeOf(t)...)
}

// window is a parameter over the mapping itself where that is aligned, else over
// a copy.
func window[T tensor.BF16 | tensor.F16 | float32](name string, t safetensors.Tensor) (*tensor.Param, error) {
	bytes, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	data := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(bytes))), t.Len())
	return tensor.NewParam(name, data, shapeOf(t)...)
}

// shapeOf is the shape with scalars as vectors of one element.
func shapeOf(t safetensors.Tensor) []int {
	if s := t.Shape(); len(s) > 0 {
		return s
	}
	return []int{1}
}

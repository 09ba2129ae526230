package auto

import (
	"fmt"
	"unsafe"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// writeWeights writes model.safetensors, or shards and their index.
func writeWeights(dir string, m model.Model, o SaveOptions) error {
	var infos []safetensors.Info
	for name, p := range m.Params() {
		dt := p.Dtype()
		if o.Dtype != (tensor.Dtype{}) {
			dt = o.Dtype
		}
		stored, err := storedType(dt)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		infos = append(infos, safetensors.Info{Name: name, Dtype: stored, Shape: p.Shape()})
	}
	w, err := safetensors.CreateFolder(dir, infos, safetensors.FolderOptions{MaxShardBytes: o.MaxShardBytes})
	if err != nil {
		return err
	}
	defer w.Abort()
	for name, p := range m.Params() {
		if o.Dtype != (tensor.Dtype{}) && o.Dtype != p.Dtype() {
			if p, err = narrowed(p, o.Dtype); err != nil {
				return err
			}
		}
		if err := w.Write(name, memory(p)); err != nil {
			return err
		}
	}
	return w.Close()
}

// narrowed converts a weight, and refuses one that its type cannot hold.
func narrowed(p *tensor.Param, dt tensor.Dtype) (*tensor.Param, error) {
	q, err := p.Convert(dt)
	if err != nil {
		return nil, err
	}
	return q, model.CheckFinite(q)
}

func storedType(dt tensor.Dtype) (safetensors.Dtype, error) {
	switch dt {
	case tensor.Float32:
		return safetensors.F32, nil
	case tensor.Float64:
		return safetensors.F64, nil
	case tensor.BFloat16:
		return safetensors.BF16, nil
	case tensor.Float16:
		return safetensors.F16, nil
	}
	return 0, fmt.Errorf("%w: weights of type %v, want float32, float64, bfloat16 or float16", ErrUnsupported, dt)
}

// memory is the bytes of a weight, in the machine's order, which is little-endian
// on all that Go maps files on.
func memory(p *tensor.Param) []byte {
	switch {
	case p.Data() != nil:
		return bytesOf(p.Data())
	case p.Data64() != nil:
		return bytesOf(p.Data64())
	}
	return bytesOf(p.Data16())
}

func bytesOf[T float32 | float64 | uint16](s []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(*new(T))))
}

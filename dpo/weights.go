package dpo

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"unsafe"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// weightsFile holds all weights of a model in a checkpoint of full training.
const weightsFile = "model.safetensors"

// SaveWeights implements train.Stage: what Policy.Save writes, and a reference that
// moves beside it.
func (s *stage) SaveWeights(dir string) error {
	return errors.Join(s.policy.Save(dir, s.opts.BaseModel), s.follower.save(dir))
}

// LoadWeights implements train.Stage.
func (s *stage) LoadWeights(dir string) error {
	return errors.Join(s.policy.Restore(dir), s.follower.load(dir))
}

// Save writes what is trained into an existing folder: a PEFT folder for an
// adapter, whose base model is called base there, else model.safetensors with
// every weight.
func (p Policy) Save(dir, base string) error {
	if p.Adapter != nil {
		return p.Adapter.Save(dir, base)
	}
	return writeParams(filepath.Join(dir, weightsFile), p.Params())
}

// Restore reads what Save wrote, bit for bit. On failure nothing has changed, but
// for an adapter or a file that cannot be read to its end.
func (p Policy) Restore(dir string) error {
	if p.Adapter != nil {
		return p.Adapter.Restore(dir)
	}
	return readParams(filepath.Join(dir, weightsFile), p.Params())
}

// writeParams writes parameters of 32 or 64 bits to a file.
func writeParams(path string, params []*tensor.Param) error {
	var infos []safetensors.Info
	for _, p := range params {
		infos = append(infos, safetensors.Info{Name: p.Name(), Dtype: storedAs(p), Shape: p.Shape()})
	}
	w, err := safetensors.Create(path, infos, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	for _, p := range params {
		if err := w.Write(p.Name(), memory(p)); err != nil {
			return errors.Join(err, w.Abort())
		}
	}
	return w.Close()
}

// readParams reads what writeParams wrote.
func readParams(path string, params []*tensor.Param) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	stored, err := match(f, params)
	if err != nil {
		return err
	}
	for i, p := range params {
		if err := stored[i].View(func(b []byte) error { copy(memory(p), b); return nil }); err != nil {
			return err
		}
		p.Changed()
	}
	return nil
}

func storedAs(p *tensor.Param) safetensors.Dtype {
	if p.Data64() != nil {
		return safetensors.F64
	}
	return safetensors.F32
}

// memory is a parameter's memory as little-endian bytes.
func memory(p *tensor.Param) []byte {
	if d := p.Data64(); d != nil {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(d))), 8*len(d))
	}
	d := p.Data()
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(d))), 4*len(d))
}

// match finds the tensor of every parameter and reports all that is wrong.
func match(f *safetensors.File, params []*tensor.Param) ([]safetensors.Tensor, error) {
	var faults []error
	stored := make([]safetensors.Tensor, len(params))
	known := map[string]bool{}
	for i, p := range params {
		known[p.Name()] = true
		x, err := f.Tensor(p.Name())
		if err == nil && (x.Dtype() != storedAs(p) || !slices.Equal(x.Shape(), p.Shape())) {
			err = fmt.Errorf("dpo: %s: %s is %v %v, want %v %v", f.Name(), p.Name(), x.Dtype(), x.Shape(), storedAs(p), p.Shape())
		}
		stored[i] = x
		faults = append(faults, err)
	}
	for name := range f.Tensors() {
		if !known[name] {
			faults = append(faults, fmt.Errorf("dpo: %s: got tensor %s, which is no weight of the model", f.Name(), name))
		}
	}
	return stored, errors.Join(faults...)
}

// Export implements train.Exporter.
func (s *stage) Export(dir string) error {
	if s.opts.Export != nil {
		return s.opts.Export(dir)
	}
	return s.policy.Save(dir, s.opts.BaseModel)
}

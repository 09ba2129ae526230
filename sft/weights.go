package sft

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"unsafe"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// weightsFile holds all weights of a model in a checkpoint of full fine-tuning.
const weightsFile = "model.safetensors"

// SaveWeights implements train.Stage: a PEFT folder for an adapter, else
// model.safetensors with every trained weight.
func (s *stage) SaveWeights(dir string) error {
	if a := s.policy.tuner(); a != nil {
		return a.Save(dir, s.opts.BaseModel)
	}
	var infos []safetensors.Info
	for _, p := range s.params {
		infos = append(infos, safetensors.Info{Name: p.Name(), Dtype: storedAs(p), Shape: p.Shape()})
	}
	w, err := safetensors.Create(filepath.Join(dir, weightsFile), infos, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	for _, p := range s.params {
		if err := w.Write(p.Name(), memory(p)); err != nil {
			w.Abort()
			return err
		}
	}
	return w.Close()
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

// LoadWeights implements train.Stage. On failure nothing has changed, but for an
// adapter or a file that cannot be read to its end.
func (s *stage) LoadWeights(dir string) error {
	if a := s.policy.tuner(); a != nil {
		return a.Restore(dir)
	}
	f, err := safetensors.Open(filepath.Join(dir, weightsFile))
	if err != nil {
		return err
	}
	defer f.Close()
	stored, err := s.match(f)
	if err != nil {
		return err
	}
	for i, p := range s.params {
		if err := stored[i].View(func(b []byte) error { copy(memory(p), b); return nil }); err != nil {
			return err
		}
		p.Changed()
	}
	return nil
}

// match finds the tensor of every parameter and reports all that is wrong.
func (s *stage) match(f *safetensors.File) ([]safetensors.Tensor, error) {
	var faults []error
	stored := make([]safetensors.Tensor, len(s.params))
	known := map[string]bool{}
	for i, p := range s.params {
		known[p.Name()] = true
		x, err := f.Tensor(p.Name())
		if err == nil && (x.Dtype() != storedAs(p) || !slices.Equal(x.Shape(), p.Shape())) {
			err = fmt.Errorf("sft: %s: %s is %v %v, want %v %v", f.Name(), p.Name(), x.Dtype(), x.Shape(), storedAs(p), p.Shape())
		}
		stored[i] = x
		faults = append(faults, err)
	}
	for name := range f.Tensors() {
		if !known[name] {
			faults = append(faults, fmt.Errorf("sft: %s: got tensor %s, which is no weight of the model", f.Name(), name))
		}
	}
	return stored, errors.Join(faults...)
}

// Export implements train.Exporter.
func (s *stage) Export(dir string) error {
	if s.opts.Export != nil {
		return s.opts.Export(dir)
	}
	return s.SaveWeights(dir)
}

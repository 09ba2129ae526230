package folder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// ErrWeights is wrapped by errors about tensors of a file.
var ErrWeights = errors.New("adapter weights are wrong")

// Tensor pairs a parameter with its name in a file.
type Tensor struct {
	Name  string
	Param *tensor.Param
}

// Read fills parameters from the tensors of a file, which must hold exactly those,
// finite and in their shapes. All tensors are checked before the first is read,
// but for their values.
func Read(path string, list []Tensor) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := check(f, list); err != nil {
		return err
	}
	for _, p := range list {
		t, err := f.Tensor(p.Name)
		if err != nil {
			return err
		}
		values, err := floats(t)
		if err != nil {
			return err
		}
		for i, x := range values {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("%w: %s: tensor %s: element %d is %g, want a finite number", ErrWeights, path, p.Name, i, x)
			}
		}
		if err := p.Param.Set(values); err != nil {
			return err
		}
	}
	return nil
}

// Holds fails for a file that is too small for so many numbers of 16 bits, so that
// nothing is allocated for a configuration that claims much.
func Holds(path string, elements int) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if int64(elements) > info.Size()/2 {
		return fmt.Errorf("%w: %s has %d bytes, want the %d numbers that the configuration speaks of", ErrWeights, path, info.Size(), elements)
	}
	return nil
}

// maxFaults is the number of wrong tensors that an error lists.
const maxFaults = 10

// check compares names and shapes.
func check(f *safetensors.File, list []Tensor) error {
	var faults []error
	known := map[string]bool{}
	for _, p := range list {
		known[p.Name] = true
		t, err := f.Tensor(p.Name)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("%w: %s: tensor %s is missing, want shape %v", ErrWeights, f.Name(), p.Name, p.Param.Shape()))
		case !slices.Equal(t.Shape(), p.Param.Shape()):
			faults = append(faults, fmt.Errorf("%w: %s: tensor %s has shape %v, want %v", ErrWeights, f.Name(), p.Name, t.Shape(), p.Param.Shape()))
		case !t.Dtype().Widens():
			faults = append(faults, fmt.Errorf("%w: %s: tensor %s has type %v, want one of floating-point numbers", ErrWeights, f.Name(), p.Name, t.Dtype()))
		}
	}
	for name := range f.Tensors() {
		if !known[name] {
			faults = append(faults, fmt.Errorf("%w: %s: tensor %.200s is unknown", ErrWeights, f.Name(), name))
		}
	}
	if n := len(faults); n > maxFaults {
		faults = append(faults[:maxFaults], fmt.Errorf("and %d more", n-maxFaults))
	}
	return errors.Join(faults...)
}

// floats is a tensor's values; F64 keeps every bit.
func floats(t safetensors.Tensor) ([]float64, error) {
	values := make([]float64, t.Len())
	if t.Dtype() == safetensors.F64 {
		return values, t.View(func(b []byte) error {
			for i := range values {
				values[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
			}
			return nil
		})
	}
	narrow, err := t.Float32()
	for i, x := range narrow {
		values[i] = float64(x)
	}
	return values, err
}

// Write writes parameters as a safetensors file, float64 as that and all others as
// float32.
func Write(path string, list []Tensor) error {
	var infos []safetensors.Info
	for _, p := range list {
		i := safetensors.Info{Name: p.Name, Dtype: safetensors.F32, Shape: p.Param.Shape()}
		if p.Param.Dtype() == tensor.Float64 {
			i.Dtype = safetensors.F64
		}
		infos = append(infos, i)
	}
	w, err := safetensors.Create(path, infos, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	defer w.Abort() // does nothing after Close
	for _, p := range list {
		var b []byte
		for _, x := range p.Param.Data64() {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		if p.Param.Dtype() != tensor.Float64 {
			for _, x := range p.Param.Float32s() {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
			}
		}
		if err := w.Write(p.Name, b); err != nil {
			return err
		}
	}
	return w.Close()
}

package lora

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// ErrWeights is wrapped by errors about the tensors of an adapter's file.
var ErrWeights = errors.New("lora: adapter weights are wrong")

// Load attaches the adapter in a PEFT folder to m under a name that is not in
// use. Its parameters are frozen; SetTrainable makes training go on. Nothing is
// attached when the folder is not understood completely: unknown and missing
// tensors, other shapes, NaN and infinities, and unsupported options are errors
// that name the file and the field.
//
// The copy of a base weight that PEFT stores beside an adapter on the embedding
// or the head is skipped.
func Load(m model.Model, name, dir string) (*Adapter, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	modules, err := choose(m, name, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, configFile), err)
	}
	a := &Adapter{name: name, config: c, model: m, modules: modules}
	if err := a.read(dir, func(mod *module) error { return mod.allocate(name) }); err != nil {
		return nil, err
	}
	if err := a.settle(); err != nil {
		return nil, err
	}
	a.attach()
	return a, nil
}

// Restore overwrites the adapter's values with those of a folder that Save wrote
// for an adapter on the same layers with the same ranks. On failure the values
// may be a mixture.
func (a *Adapter) Restore(dir string) error {
	return a.read(dir, func(*module) error { return nil })
}

// readConfig reads adapter_config.json.
func readConfig(dir string) (Config, error) {
	path := filepath.Join(dir, configFile)
	info, err := os.Stat(path)
	if err != nil {
		return Config{}, fmt.Errorf("lora: no adapter: %w", err)
	}
	if info.Size() > maxConfigBytes {
		return Config{}, fmt.Errorf("%w: %s has %d bytes, want at most %d", ErrConfig, path, info.Size(), maxConfigBytes)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("lora: %w", err)
	}
	c, err := parsePEFT(path, raw)
	return c.withDefaults(), err
}

// read fills the adapter from a folder. The shapes in the file are checked before
// prepare, which may allocate, is called for each layer.
func (a *Adapter) read(dir string, prepare func(*module) error) error {
	f, err := safetensors.Open(filepath.Join(dir, weightsFile))
	if err != nil {
		return fmt.Errorf("lora: %w%s", err, pickleHint(dir))
	}
	defer f.Close()
	if err := a.check(f); err != nil {
		return err
	}
	for _, m := range a.modules {
		if err := prepare(m); err != nil {
			return err
		}
		for _, p := range m.parts() {
			t, err := f.Tensor(p.file)
			if err != nil {
				return err
			}
			if err := readValues(f.Name(), t, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// pickleHint says that a folder without safetensors holds a pickle file.
func pickleHint(dir string) string {
	if _, err := os.Stat(filepath.Join(dir, "adapter_model.bin")); err == nil {
		return " (adapter_model.bin is a pickle file, which runs code when it is read and is refused: save the adapter with safe_serialization=True)"
	}
	return ""
}

// maxFaults is the number of wrong tensors that an error lists.
const maxFaults = 10

// check compares the names and shapes in f with those of the adapter.
func (a *Adapter) check(f *safetensors.File) error {
	var faults []error
	known := map[string]bool{}
	for _, m := range a.modules {
		if m.update != nil {
			known[m.file()+baseSuffix], known[m.file()+tokenAdapter+baseSuffix] = true, true
		}
		if u, ok := m.update.(*tokenRows); ok && u.tied {
			known[m.file()+u.key()] = true // PEFT repeats the embedding's rows
		}
		for _, p := range m.parts() {
			known[p.file] = true
			t, err := f.Tensor(p.file)
			switch {
			case err != nil:
				faults = append(faults, fmt.Errorf("%w: %s: tensor %s is missing, want shape %v", ErrWeights, f.Name(), p.file, p.inFile()))
			case !slices.Equal(t.Shape(), p.inFile()):
				faults = append(faults, fmt.Errorf("%w: %s: tensor %s has shape %v, want %v", ErrWeights, f.Name(), p.file, t.Shape(), p.inFile()))
			case !t.Dtype().Widens():
				faults = append(faults, fmt.Errorf("%w: %s: tensor %s has type %v, want one of floating-point numbers", ErrWeights, f.Name(), p.file, t.Dtype()))
			}
		}
	}
	for name := range f.Tensors() {
		if !known[name] {
			faults = append(faults, fmt.Errorf("%w: %s: tensor %.200s is unknown, want those of the layers that %s adapts", ErrWeights, f.Name(), name, configFile))
		}
	}
	if n := len(faults); n > maxFaults {
		faults = append(faults[:maxFaults], fmt.Errorf("and %d more", n-maxFaults))
	}
	return errors.Join(faults...)
}

// readValues converts a tensor into its parameter.
func readValues(file string, t safetensors.Tensor, p part) error {
	values, err := float64s(t)
	if err != nil {
		return err
	}
	for i, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%w: %s: tensor %s: element %d is %g, want a finite number", ErrWeights, file, t.Name(), i, x)
		}
	}
	if !p.joins(values) {
		return fmt.Errorf("%w: %s: tensor %s has other initial values, want those of the adapter's own base", ErrWeights, file, t.Name())
	}
	values = p.fromFile(values)
	set(*p.param, func(i int) float64 { return values[i] })
	return nil
}

// float64s is a tensor's values; F64 keeps every bit.
func float64s(t safetensors.Tensor) ([]float64, error) {
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

// transpose turns a matrix of the given rows and columns.
func transpose(x []float64, rows, cols int) []float64 {
	y := make([]float64, len(x))
	for r := range rows {
		for c := range cols {
			y[c*rows+r] = x[r*cols+c]
		}
	}
	return y
}

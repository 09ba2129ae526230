package adalora

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"github.com/posttrain/posttrain/tensor/safetensors"
)

// stateFile holds the averages in a checkpoint.
const stateFile = "adalora.safetensors"

// fields are what a checkpoint has of a layer, by name. Those of off are 1 where a
// singular value is taken away.
func (l *layer) fields() map[string][]float64 {
	off := make([]float64, len(l.off))
	for i, x := range l.off {
		if x {
			off[i] = 1
		}
	}
	return map[string][]float64{
		l.path + ".A.importance": l.a.importance, l.path + ".A.uncertainty": l.a.uncertainty,
		l.path + ".E.importance": l.e.importance, l.path + ".E.uncertainty": l.e.uncertainty,
		l.path + ".B.importance": l.b.importance, l.path + ".B.uncertainty": l.b.uncertainty,
		l.path + ".off": off,
	}
}

// SaveState writes the averages, and what is taken away.
func (s *Allocator) SaveState(dir string) error {
	all := map[string][]float64{"final": {0}}
	if s.final {
		all["final"][0] = 1
	}
	for _, l := range s.layers {
		maps.Copy(all, l.fields())
	}
	var infos []safetensors.Info
	names := slices.Sorted(maps.Keys(all))
	for _, name := range names {
		infos = append(infos, safetensors.Info{Name: name, Dtype: safetensors.F64, Shape: []int{len(all[name])}})
	}
	w, err := safetensors.Create(filepath.Join(dir, stateFile), infos, nil)
	if err != nil {
		return fmt.Errorf("adalora: %w", err)
	}
	defer w.Abort() // does nothing after Close
	for _, name := range names {
		var b []byte
		for _, v := range all[name] {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		if err := w.Write(name, b); err != nil {
			return fmt.Errorf("adalora: %w", err)
		}
	}
	return w.Close()
}

// LoadState restores them.
func (s *Allocator) LoadState(dir string) error {
	f, err := safetensors.Open(filepath.Join(dir, stateFile))
	if err != nil {
		return fmt.Errorf("adalora: %w", err)
	}
	defer f.Close()
	for _, l := range s.layers {
		for name, x := range l.fields() {
			if err := read(f, name, x); err != nil {
				return err
			}
			if name == l.path+".off" {
				for i := range l.off {
					l.off[i] = x[i] != 0
				}
			}
		}
	}
	final := []float64{0}
	err = read(f, "final", final)
	s.final = final[0] != 0
	return err
}

// read fills x from a tensor.
func read(f *safetensors.File, name string, x []float64) error {
	t, err := f.Tensor(name)
	if err != nil {
		return fmt.Errorf("adalora: %w", err)
	}
	if t.Dtype() != safetensors.F64 || t.Len() != len(x) {
		return fmt.Errorf("adalora: %s: tensor %s has %d elements of type %v, want %d of %v", f.Name(), name, t.Len(), t.Dtype(), len(x), safetensors.F64)
	}
	return t.View(func(b []byte) error {
		for i := range x {
			x[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
		return nil
	})
}

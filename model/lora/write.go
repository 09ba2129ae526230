package lora

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// Save writes the adapter as a PEFT folder, which is created if it is missing:
// adapter_model.safetensors, in the type of the parameters, then
// adapter_config.json. Each file appears complete or not at all. The folder says
// that the adapter belongs to base, the name of a model or a path; "" stands for
// what Config says.
func (a *Adapter) Save(dir, base string) error {
	c := a.fileConfig()
	if base != "" && base != c.BaseModel {
		c.BaseModel, c.Revision = base, ""
	}
	raw, err := c.writePEFT(slices.ContainsFunc(a.modules, func(m *module) bool { return m.turned }))
	if err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	if err := a.writeWeights(filepath.Join(dir, weightsFile)); err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	if err := writeWhole(filepath.Join(dir, configFile), raw); err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	return nil
}

// fileConfig names the layers that "all-linear" stands for, as PEFT does, so that
// readers need no rule for it.
func (a *Adapter) fileConfig() Config {
	c := a.config.doubled()
	if !slices.Contains(c.Targets, AllLinear) {
		return c
	}
	list := slices.DeleteFunc(slices.Clone(c.Targets), func(t string) bool { return t == AllLinear })
	for _, m := range a.modules {
		if m.update != nil && m.kind == inner {
			list = append(list, m.path[strings.LastIndexByte(m.path, '.')+1:])
		}
	}
	slices.Sort(list)
	c.Targets = slices.Compact(list)
	return c
}

func (a *Adapter) writeWeights(path string) error {
	var infos []safetensors.Info
	for _, m := range a.modules {
		for _, p := range m.parts() {
			i := safetensors.Info{Name: p.file, Dtype: safetensors.F32, Shape: p.inFile()}
			if (*p.param).Dtype() == tensor.Float64 {
				i.Dtype = safetensors.F64
			}
			infos = append(infos, i)
		}
	}
	w, err := safetensors.Create(path, infos, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	defer w.Abort() // does nothing after Close
	for _, m := range a.modules {
		for _, p := range m.parts() {
			if err := writeValues(w, p); err != nil {
				return err
			}
		}
	}
	return w.Close()
}

func writeValues(w *safetensors.Writer, p part) error {
	wide, err := (*p.param).Convert(tensor.Float64)
	if err != nil {
		return err
	}
	values := p.toFile(wide.Data64())
	var b []byte
	for _, x := range values {
		if (*p.param).Dtype() == tensor.Float64 {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		} else {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
		}
	}
	return w.Write(p.file, b)
}

// writeWhole writes a small file by way of a scratch file beside it.
func writeWhole(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".partial-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		if gone := os.Remove(f.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

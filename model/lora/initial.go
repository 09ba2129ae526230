package lora

import (
	"slices"

	"github.com/posttrain/posttrain/tensor"
)

// initialise gives a fresh adapter its values. What replaces parameters of the
// model is a copy of them.
func (m *module) initialise(c Config) error {
	if m.update != nil {
		if err := m.update.draw(m, c); err != nil {
			return err
		}
	}
	for _, p := range m.parts() {
		if p.base == nil {
			continue
		}
		same, err := p.base.Convert((*p.param).Dtype())
		if err != nil {
			return err
		}
		copyValues(*p.param, same)
	}
	return nil
}

// fill sets every element of p.
func fill(p *tensor.Param, next func() float64) {
	x, y := p.Data(), p.Data64()
	for i := range x {
		x[i] = float32(next())
	}
	for i := range y {
		y[i] = next()
	}
	p.Changed()
}

// copyValues copies between parameters of one shape and type.
func copyValues(to, from *tensor.Param) {
	copy(to.Data(), from.Data())
	copy(to.Data64(), from.Data64())
	to.Changed()
}

// equalValues compares parameters of one shape and type.
func equalValues(p, q *tensor.Param) bool {
	return slices.Equal(p.Data(), q.Data()) && slices.Equal(p.Data64(), q.Data64())
}

// isZero says whether every element of p is 0.
func isZero(p *tensor.Param) bool {
	return !slices.ContainsFunc(p.Data(), func(x float32) bool { return x != 0 }) &&
		!slices.ContainsFunc(p.Data64(), func(x float64) bool { return x != 0 })
}

package lora

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/posttrain/posttrain/tensor"
)

// initialise gives a fresh adapter its values. A low-rank update is drawn as PEFT
// does: A from U(−1/√in, 1/√in), which is Kaiming's uniform law with a = √5, or
// from N(0, 1/r²), and B = 0; of an embedding A = 0 and B from N(0, 1). What
// replaces parameters of the model is a copy of them.
func (m *module) initialise(c Config) error {
	if m.rank > 0 {
		m.draw(c)
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

func (m *module) draw(c Config) {
	r := rand.New(rand.NewPCG(c.Seed, salt(m.path)))
	switch {
	case m.kind == embedding:
		fill(m.low.B, r.NormFloat64)
	case c.Gaussian:
		fill(m.low.A, func() float64 { return r.NormFloat64() / float64(m.rank) })
	default:
		bound := 1 / math.Sqrt(float64(m.in()))
		fill(m.low.A, func() float64 { return bound * (2*r.Float64() - 1) })
	}
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

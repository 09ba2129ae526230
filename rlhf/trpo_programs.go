package rlhf

import (
	"fmt"

	"github.com/posttrain/posttrain/tensor"
)

// TrustProgram is a compiled graph that computes Value, of shape (1), and adds its gradient
// to the accumulators of the parameters.
type TrustProgram struct {
	Program *tensor.Program
	Value   *tensor.Node
}

// TrustPrograms is a TrustRegion over graphs: bind what was sampled to both programs before
// a step.
type TrustPrograms struct {
	Params  []*tensor.Param // trainable, float32 or float64
	Gain    TrustProgram    // the surrogate E[π/π_old·A]
	Penalty TrustProgram    // E[KL(π_old‖π)], from tensor.TokenKL
}

// Parameters implements TrustRegion.
func (t TrustPrograms) Parameters() []float64 {
	var out []float64
	for _, p := range t.Params {
		if x := p.Data64(); x != nil {
			out = append(out, x...)
			continue
		}
		for _, v := range p.Data() {
			out = append(out, float64(v))
		}
	}
	return out
}

// SetParameters implements TrustRegion.
func (t TrustPrograms) SetParameters(x []float64) error {
	for _, p := range t.Params {
		n := p.Len()
		if len(x) < n {
			return fmt.Errorf("rlhf: TrustPrograms: got too few numbers for parameter %s, want %d more", p.Name(), n-len(x))
		}
		if err := p.Set(x[:n]); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}

// Surrogate implements TrustRegion.
func (t TrustPrograms) Surrogate(grad []float64) (float64, error) { return t.run(t.Gain, grad) }

// KL implements TrustRegion.
func (t TrustPrograms) KL(grad []float64) (float64, error) { return t.run(t.Penalty, grad) }

// run computes a value and copies its gradient.
func (t TrustPrograms) run(p TrustProgram, grad []float64) (float64, error) {
	for _, x := range t.Params {
		x.ZeroGrad()
	}
	if err := p.Program.Run(); err != nil {
		return 0, err
	}
	value, err := first(p.Program, p.Value)
	if grad == nil || err != nil {
		return value, err
	}
	for _, x := range t.Params {
		if g := x.Grad64(); g != nil {
			copy(grad, g)
		} else {
			for i, v := range x.Grad() {
				grad[i] = float64(v)
			}
		}
		grad = grad[x.Len():]
	}
	return value, nil
}

// first is the only number of an output.
func first(p *tensor.Program, n *tensor.Node) (float64, error) {
	if n.Dtype() == tensor.Float64 {
		v, err := tensor.Values[float64](p, n)
		if err != nil {
			return 0, err
		}
		return v[0], nil
	}
	v, err := tensor.Values[float32](p, n)
	if err != nil {
		return 0, err
	}
	return float64(v[0]), nil
}

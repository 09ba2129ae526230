package lora

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// outcome is what a parameter of the model becomes by merging.
type outcome struct {
	into   *tensor.Param
	shared bool // into is embedding and head at once
	sum    func() ([]float64, error)
}

// outcomes lists what merging does, in the order in which it is to be done;
// untied, if not nil, is the parameter that becomes the head.
func (a *Adapter) outcomes(untied *tensor.Param) ([]outcome, error) {
	var list []outcome
	var errs []error
	for _, m := range a.modules {
		if m.rank > 0 || m.wholeWeight {
			o := outcome{into: *m.weight}
			switch {
			case m.kind == head && untied != nil:
				o.into = untied
			case m.kind == head || m.kind == embedding:
				o.shared = untied == nil && model.Tied(a.model)
			}
			o.sum = func() ([]float64, error) { return m.weightSum(o.into) }
			list = append(list, o)
		}
		switch {
		case !m.biasOnB && !m.wholeBias:
		case !m.hasBias():
			errs = append(errs, fmt.Errorf("%w: %q has a bias on B (lora_bias) at %s, which has no bias", ErrMerge, a.name, m.path))
		default:
			list = append(list, outcome{into: *m.bias, sum: m.biasSum})
		}
	}
	return list, errors.Join(errs...)
}

// weightSum is W + scale·B·A, or the adapter's own weight, in float64 and in the
// layout of W. W is given because the head of a model that is being untied has its
// matrix elsewhere than in the layer.
func (m *module) weightSum(weight *tensor.Param) ([]float64, error) {
	if m.wholeWeight {
		return wide(m.own.Weight)
	}
	w, err1 := wide(weight)
	a, err2 := wide(m.low.A)
	b, err3 := wide(m.low.B)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	g := kernel.Gemm64{K: m.rank, C: w, Alpha: m.scale, Accumulate: true}
	switch {
	case m.kind == embedding: // (in, out) += (in, r)·(out, r)ᵀ
		g.M, g.N, g.A, g.LDA, g.B, g.LDB, g.TransB = m.in(), m.out(), a, m.rank, b, m.rank, true
	case m.turned: // (in, out) += (r, in)ᵀ·(out, r)ᵀ
		g.M, g.N, g.A, g.LDA, g.TransA, g.B, g.LDB, g.TransB = m.in(), m.out(), a, m.in(), true, b, m.rank, true
	default: // (out, in) += (out, r)·(r, in)
		g.M, g.N, g.A, g.LDA, g.B, g.LDB = m.out(), m.in(), b, m.rank, a, m.in()
	}
	g.LDC = g.N
	g.Run()
	return w, nil
}

// biasSum is the bias, or the adapter's own, and scale times the bias on B.
func (m *module) biasSum() ([]float64, error) {
	bias := *m.bias
	if m.wholeBias {
		bias = m.own.Bias
	}
	sum, err := wide(bias)
	if err != nil || !m.biasOnB {
		return sum, err
	}
	update, err := wide(m.low.Bias)
	for i, x := range update {
		sum[i] += m.scale * x
	}
	return sum, err
}

// wide is a copy of the values of p.
func wide(p *tensor.Param) ([]float64, error) {
	q, err := p.Convert(tensor.Float64)
	if err != nil {
		return nil, err
	}
	return q.Data64(), nil
}

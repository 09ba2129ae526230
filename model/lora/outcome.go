package lora

import (
	"errors"
	"fmt"

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
		rows, _ := m.update.(*tokenRows)
		if m.update != nil && (rows == nil || !rows.tied) || m.wholeWeight {
			o := outcome{into: *m.weight}
			switch {
			case m.kind == head && untied != nil:
				o.into = untied
			case m.kind == head || m.kind == embedding:
				o.shared = untied == nil && model.Tied(a.model) && rows == nil
			}
			o.sum = func() ([]float64, error) { return m.weightSum(o.into) }
			list = append(list, o)
		}
		switch {
		case !m.changesBias():
		case !m.hasBias() && m.update != nil && m.update.changesBias():
			errs = append(errs, fmt.Errorf("%w: %q has a bias on B (lora_bias) at %s, which has no bias", ErrMerge, a.name, m.path))
		default:
			list = append(list, outcome{into: *m.bias, sum: m.biasSum})
		}
	}
	return list, errors.Join(errs...)
}

// changesBias says whether merging has to do with a bias. IA³'s factors do only
// where there is one.
func (m *module) changesBias() bool {
	if _, ok := m.update.(*scaling); ok && !m.hasBias() {
		return false
	}
	return m.wholeBias || m.update != nil && m.update.changesBias()
}

// weightSum is the weight with the update, or the adapter's own weight, in float64
// and in the layout of W. W is given because the head of a model that is being untied
// has its matrix elsewhere than in the layer.
func (m *module) weightSum(weight *tensor.Param) ([]float64, error) {
	if m.wholeWeight {
		return wide(m.own.Weight)
	}
	w, err := wide(weight)
	if err != nil {
		return nil, err
	}
	return w, m.update.merge(m, w)
}

// biasSum is the bias, or the adapter's own, with what the update does to it.
func (m *module) biasSum() ([]float64, error) {
	bias := *m.bias
	if m.wholeBias {
		bias = m.own.Bias
	}
	sum, err := wide(bias)
	if err != nil || m.update == nil || !m.update.changesBias() {
		return sum, err
	}
	return sum, m.update.mergeBias(sum)
}

// wide is a copy of the values of p.
func wide(p *tensor.Param) ([]float64, error) {
	q, err := p.Convert(tensor.Float64)
	if err != nil {
		return nil, err
	}
	return q.Data64(), nil
}

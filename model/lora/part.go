package lora

import (
	"slices"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// part is one parameter of a module.
type part struct {
	key        string // lora_A and the like
	file       string // name of the tensor in a file
	shape      []int  // there
	transposed bool   // the parameter is the transpose of the file's tensor
	param      **tensor.Param
	base       *tensor.Param // the model's parameter that it replaces; nil for none
}

// parts are A and B and B's bias of the update, and the parameters that replace
// the layer's.
func (m *module) parts() []part {
	var list []part
	file := filePrefix + m.path + "."
	if m.rank > 0 {
		list = m.updateParts(file)
	}
	own := m.own
	if own == nil {
		own = &nn.Replacement{}
	}
	if m.wholeWeight {
		list = append(list, part{key: "weight", file: file + "weight", shape: (*m.weight).Shape(), param: &own.Weight, base: *m.weight})
	}
	if m.wholeBias {
		if m.rank > 0 {
			file += "base_layer."
		}
		list = append(list, part{key: "bias", file: file + "bias", shape: (*m.bias).Shape(), param: &own.Bias, base: *m.bias})
	}
	return list
}

// updateParts are the parts of the low-rank update.
func (m *module) updateParts(file string) []part {
	low := m.low
	if low == nil {
		low = &nn.LowRank{}
	}
	keys, suffix, lookup := [2]string{"lora_A", "lora_B"}, ".weight", m.kind == embedding
	if lookup {
		keys, suffix = [2]string{"lora_embedding_A", "lora_embedding_B"}, ""
	}
	list := []part{
		{key: keys[0], file: file + keys[0] + suffix, shape: []int{m.rank, m.in()}, transposed: lookup, param: &low.A},
		{key: keys[1], file: file + keys[1] + suffix, shape: []int{m.out(), m.rank}, param: &low.B},
	}
	if m.biasOnB {
		list = append(list, part{key: "lora_B.bias", file: file + "lora_B.bias", shape: []int{m.out()}, param: &low.Bias})
	}
	return list
}

// zero says whether the part changes nothing by itself: it is zero, or equal to
// what it replaces.
func (p part) zero() bool {
	if p.base == nil {
		return isZero(*p.param)
	}
	same, err := p.base.Convert((*p.param).Dtype())
	return err == nil && equalValues(same, *p.param)
}

// zero says whether the module changes nothing; see Adapter.Zero.
func (m *module) zero() bool {
	parts := m.parts()
	if m.rank > 0 {
		if !parts[0].zero() && !parts[1].zero() {
			return false
		}
		parts = parts[2:]
	}
	return !slices.ContainsFunc(parts, func(p part) bool { return !p.zero() })
}

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
	shape      []int  // there, without a tail
	transposed bool   // the parameter is the transpose of the file's tensor
	flat       bool   // the parameter is the file's tensor as a vector
	frozen     bool   // it is never trained
	param      **tensor.Param
	base       *tensor.Param // the model's parameter that it replaces; nil for none
	// tail, if set, is another matrix of this shape which stands below the parameter
	// in a file, or beside it.
	tail   []float64
	beside bool
}

// inMemory is the shape of the parameter.
func (p part) inMemory() []int {
	shape := slices.Clone(p.shape)
	switch {
	case p.transposed:
		slices.Reverse(shape)
	case p.flat:
		return []int{p.shape[0] * p.shape[1]}
	}
	return shape
}

// inFile is the shape of the tensor in a file.
func (p part) inFile() []int {
	shape := slices.Clone(p.shape)
	switch {
	case p.tail == nil:
	case p.beside:
		shape[1] *= 2
	default:
		shape[0] *= 2
	}
	return shape
}

// toFile are a parameter's values as a file has them, and fromFile the other way
// round.
func (p part) toFile(x []float64) []float64 {
	switch {
	case p.transposed:
		return transpose(x, p.shape[1], p.shape[0])
	case p.tail == nil:
		return x
	case !p.beside:
		return slices.Concat(x, p.tail)
	}
	n := p.shape[1]
	var y []float64
	for i := 0; i < len(x); i += n {
		y = append(append(y, x[i:i+n]...), p.tail[i:i+n]...)
	}
	return y
}

// joins says whether the tail in a file's values is the part's.
func (p part) joins(x []float64) bool {
	switch {
	case p.tail == nil:
		return true
	case !p.beside:
		return slices.Equal(x[len(x)/2:], p.tail)
	}
	n := p.shape[1]
	for i := 0; i < len(p.tail); i += n {
		if !slices.Equal(x[2*i+n:2*i+2*n], p.tail[i:i+n]) {
			return false
		}
	}
	return true
}

func (p part) fromFile(x []float64) []float64 {
	switch {
	case p.transposed:
		return transpose(x, p.shape[0], p.shape[1])
	case p.tail == nil:
		return x
	case !p.beside:
		return x[:len(x)/2]
	}
	n := p.shape[1]
	var y []float64
	for i := 0; i < len(x); i += 2 * n {
		y = append(y, x[i:i+n]...)
	}
	return y
}

// parts are those of the update and the parameters that replace the layer's.
func (m *module) parts() []part {
	var list []part
	file := m.file()
	if m.update != nil {
		list = m.update.parts(m)
	}
	own := m.own
	if own == nil {
		own = &nn.Replacement{}
	}
	if m.wholeWeight {
		list = append(list, part{key: "weight", file: file + "weight", shape: (*m.weight).Shape(), param: &own.Weight, base: *m.weight})
	}
	if m.wholeBias {
		if m.update != nil {
			file += "base_layer."
		}
		list = append(list, part{key: "bias", file: file + "bias", shape: (*m.bias).Shape(), param: &own.Bias, base: *m.bias})
	}
	return list
}

// same says whether the part is equal to what it replaces.
func (p part) same() bool {
	copied, err := p.base.Convert((*p.param).Dtype())
	return err == nil && equalValues(copied, *p.param)
}

// zero says whether the module changes nothing; see Adapter.Zero.
func (m *module) zero() bool {
	if m.update != nil && !m.update.zero(m) {
		return false
	}
	return !slices.ContainsFunc(m.parts(), func(p part) bool { return p.base != nil && !p.same() })
}

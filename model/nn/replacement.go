package nn

import "github.com/posttrain/posttrain/tensor"

// Replacement holds parameters that stand in for those of a layer while an
// adapter is active. What is nil is the layer's own.
type Replacement struct{ Weight, Bias *tensor.Param }

// Replacements are a layer's replacements by the name of the adapter.
type Replacements map[string]*Replacement

// choose is the weight and the bias that count in a graph.
func (r Replacements) choose(in *Inputs, weight, bias *tensor.Param) (w, b *tensor.Param) {
	own := r[in.Adapter]
	if in.Adapter == "" || own == nil {
		return weight, bias
	}
	if own.Weight != nil {
		weight = own.Weight
	}
	if own.Bias != nil {
		bias = own.Bias
	}
	return weight, bias
}

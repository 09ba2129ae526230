package lora

import (
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// kind is what a layer does in its model.
type kind int

const (
	inner     kind = iota // a linear layer but the head
	embedding             // the lookup of token ids
	head                  // the output head
	norm                  // a norm, which can only be replaced
	scorer                // the head of a model.Headed
)

// layer is a layer of a model, with the places that an adapter can change. They
// are pointers because merging can give the head a matrix of its own.
type layer struct {
	path     string
	kind     kind
	turned   bool                         // the weight is (in, out)
	weight   **tensor.Param               // (out, in), (in, out) of an embedding or where turned, (in) of a norm
	bias     **tensor.Param               // (out); nil, or points to nil, for none
	adapters *map[string]nn.Adapter       // of a linear layer; else nil
	lookups  *map[string]nn.LookupAdapter // of the embedding; else nil
	replaced *nn.Replacements
}

// layers lists every layer of m that can be changed.
func layers(m model.Model) []layer {
	e, o := m.Embedding(), m.Output()
	list := []layer{{path: e.Path, kind: embedding, weight: &e.Weight, lookups: &e.Adapters, replaced: &e.Replaced}}
	for path, l := range m.Linears() {
		list = append(list, layer{path: path, kind: inner, turned: l.Transposed, weight: &l.Weight, bias: &l.Bias, adapters: &l.Adapters, replaced: &l.Replaced})
	}
	for path, n := range m.Norms() {
		list = append(list, layer{path: path, kind: norm, weight: &n.Weight, bias: &n.Bias, replaced: &n.Replaced})
	}
	list = append(list, layer{path: o.Path, kind: head, turned: o.Transposed, weight: &o.Weight, bias: &o.Bias, adapters: &o.Adapters, replaced: &o.Replaced})
	return append(list, scoring(m)...)
}

// hasBias says whether the layer itself has a bias.
func (l *layer) hasBias() bool { return l.bias != nil && *l.bias != nil }

// knows says whether the layer has something of an adapter of that name.
func (l *layer) knows(name string) bool {
	return l.adapters != nil && (*l.adapters)[name] != nil || l.lookups != nil && (*l.lookups)[name] != nil || (*l.replaced)[name] != nil
}

// in and out are the numbers of features; an embedding's input features are the
// vocabulary.
func (l *layer) in() int {
	if l.kind == embedding || l.turned {
		return (*l.weight).Shape()[0]
	}
	return (*l.weight).Shape()[1]
}

func (l *layer) out() int {
	if l.kind == embedding || l.turned {
		return (*l.weight).Shape()[1]
	}
	return (*l.weight).Shape()[0]
}

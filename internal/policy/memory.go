package policy

import (
	"iter"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Plan is what training takes whose activations take arena bytes: base lists the
// weights of the model, and beside says that what is trained is an adapter beside
// them.
func Plan(base iter.Seq2[string, *tensor.Param], trained []*tensor.Param, beside bool, arena int) train.Memory {
	m := train.Memory{Arena: int64(arena), Gradients: Bytes(trained)}
	for _, q := range base {
		m.Weights += int64(q.Bytes())
	}
	if beside {
		m.Weights += m.Gradients
	}
	m.Optimizer = 2 * m.Gradients
	return m
}

// Bytes is the memory of parameters.
func Bytes(params []*tensor.Param) int64 {
	n := int64(0)
	for _, q := range params {
		n += int64(q.Bytes())
	}
	return n
}

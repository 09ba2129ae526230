package nn

import "github.com/posttrain/posttrain/tensor"

// CUR adds the update C·U·R to a weight matrix, with C some of its columns and R
// some of its rows.
//
// Fawi 2024, "CURLoRA: Stable LLM Continual Fine-Tuning and Catastrophic Forgetting
// Mitigation", arXiv:2408.14572, §4.
type CUR struct {
	C, U, R *tensor.Param // (out, r), (r, r), (r, in)
	Dropout float64       // probability of zeroing an input feature in training
	Salt    uint64        // keys the dropout mask; distinct for each module
}

// Forward implements Adapter.
func (a *CUR) Forward(in *Inputs, l *Linear, x *tensor.Node) *tensor.Node {
	return tensor.Add(l.Plain(in, x), tensor.Linear(a.low(in, x), a.C.Node(x.Graph()), nil))
}

// Head implements HeadAdapter.
func (a *CUR) Head(in *Inputs, l *Linear, d tensor.Distribution) tensor.Distribution {
	d.Low, d.LowHead = a.low(in, d.H), a.C.Node(d.H.Graph())
	return d
}

// low is U·R·x.
func (a *CUR) low(in *Inputs, x *tensor.Node) *tensor.Node {
	g := x.Graph()
	if in.Training && a.Dropout > 0 {
		x = tensor.Dropout(x, a.Dropout, a.Salt)
	}
	return tensor.Linear(tensor.Linear(x, a.R.Node(g), nil), a.U.Node(g), nil)
}

package nn

import "github.com/posttrain/posttrain/tensor"

// Attention is causal self-attention with grouped keys and values and rotary
// positions.
//
// Vaswani et al. 2017, arXiv:1706.03762, eq. 1; Ainslie et al. 2023 (grouped
// queries), arXiv:2305.13245; Su et al. 2021 (RoPE), arXiv:2104.09864.
type Attention struct {
	Q, K, V, O *Linear
	// QKV, if set, stands for Q, K and V: a fused projection whose output is
	// Groups times queries, keys and values one after another. Groups is 1 for
	// [q|k|v], and the number of heads for [q k v] of each head.
	QKV          *Linear
	Groups       int
	QNorm, KNorm *Norm              // before the rotation, over as many features as the weight has; nil for none
	RoPE         tensor.RoPEOptions // the zero value rotates nothing
	Core         tensor.AttentionOptions
}

// Forward maps x (N,D) to (N,D). With a cache it writes the keys and values of
// the batch into the cache of the given layer and attends to what is there.
func (a *Attention) Forward(in *Inputs, x *tensor.Node, layer int) *tensor.Node {
	q, k, v := a.project(in, x)
	if a.QNorm != nil {
		q, k = a.QNorm.Forward(in, q), a.KNorm.Forward(in, k)
	}
	q, k = a.rotate(in, q), a.rotate(in, k)
	k, v = in.Virtual.replace(in, k, v, layer)
	if in.KV != nil {
		kv := in.KV[layer]
		return a.O.Forward(in, tensor.CachedAttention(q, k, v, kv.K, kv.V, in.Slots, in.Positions, a.Core))
	}
	seg := tensor.Segments{Ends: in.Ends, Prefix: in.Prefix, Positions: in.Positions}
	return a.O.Forward(in, tensor.Attention(q, k, v, seg, a.Core))
}

// project makes queries, keys and values of x.
func (a *Attention) project(in *Inputs, x *tensor.Node) (q, k, v *tensor.Node) {
	if a.QKV == nil {
		return a.Q.Forward(in, x), a.K.Forward(in, x), a.V.Forward(in, x)
	}
	o := a.Core
	width, kv := o.Heads*o.HeadDim/a.Groups, o.KVHeads*o.HeadDim/a.Groups
	all := tensor.Split(a.QKV.Forward(in, x), a.Groups, width, kv, kv)
	return all[0], all[1], all[2]
}

func (a *Attention) rotate(in *Inputs, x *tensor.Node) *tensor.Node {
	o := a.RoPE
	if o.HeadDim == 0 {
		return x
	}
	if o.LengthFreqs != nil {
		o.Ends, o.Slots = in.Ends, in.Slots
	}
	return tensor.RoPE(x, in.Positions, o)
}

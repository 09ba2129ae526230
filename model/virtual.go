package model

import (
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// VirtualTokens is how many virtual tokens the adapter of that name puts before
// every sequence; 0 for an adapter of another kind, or none. Batches for such an
// adapter begin with them: see Prompted.
func VirtualTokens(m Model, adapter string) int {
	if v, ok := m.Embedding().Adapters[adapter].(nn.VirtualTokens); ok && adapter != "" {
		return v.Virtual()
	}
	return 0
}

// VirtualIDs appends the ids of n virtual tokens to dst: those that follow the
// vocabulary.
func VirtualIDs(dst []int32, m Model, n int) []int32 {
	for i := range n {
		dst = append(dst, int32(m.Config().VocabSize+i))
	}
	return dst
}

// withVirtual is in with the keys and values that the active adapter has for
// virtual tokens.
func (d *Decoder) withVirtual(g *tensor.Graph, in *Inputs) *Inputs {
	v, ok := d.embed.Adapters[in.Adapter].(nn.VirtualTokens)
	if !ok || in.Adapter == "" {
		return in
	}
	kv := v.KeyValues(g)
	if kv == nil {
		return in
	}
	own := *in
	own.Virtual = &nn.Virtual{First: d.config.VocabSize, KV: kv}
	return &own
}

// Prompted puts virtual tokens before the sequences of batches. It keeps memory
// between calls.
type Prompted struct {
	ids  []int32
	out  Batch
	rows []int32
}

// NewPrompted makes one for n virtual tokens of m.
func NewPrompted(m Model, n int) *Prompted { return &Prompted{ids: VirtualIDs(nil, m, n)} }

// Prepend is b with the virtual tokens as its first segment, which stands before
// all segments that nothing stands before, and rows as they are numbered then. The
// result is valid until the next call; without virtual tokens it is b.
func (p *Prompted) Prepend(b Batch, rows []int32) (Batch, []int32) {
	n := int32(len(p.ids))
	if n == 0 {
		return b, rows
	}
	o := &p.out
	o.Tokens = append(append(o.Tokens[:0], p.ids...), b.Tokens...)
	o.Positions, o.Ends, o.Prefix, p.rows = o.Positions[:0], append(o.Ends[:0], n), append(o.Prefix[:0], -1), p.rows[:0]
	for i := range n {
		o.Positions = append(o.Positions, i)
	}
	for _, x := range b.Positions {
		o.Positions = append(o.Positions, x+n)
	}
	for i, end := range b.Ends {
		o.Ends, o.Prefix = append(o.Ends, end+n), append(o.Prefix, b.Prefix[i]+1)
	}
	for _, r := range rows {
		p.rows = append(p.rows, r+n)
	}
	return *o, p.rows
}

package rlhf

import (
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// layout distributes completions over micro-batches. It changes how work is laid
// out, never what a step learns from.
type layout struct {
	capacity, most int  // tokens and rows of a micro-batch
	fixed          int  // rows of every micro-batch; 0 packs by length
	whole          bool // groups may not be cut
	packer         data.Packer
	lengths        []int
	chunks         [][]*rollout.Completion
}

// pack fills micro-batches with the completions.
func (l *layout) pack(micro []microBatch, rows []*rollout.Completion) ([]microBatch, error) {
	if l.fixed > 0 {
		micro = resized(micro, (len(rows)+l.fixed-1)/l.fixed)
		for i, c := range rows {
			micro[i/l.fixed].add(c)
		}
		return micro, nil
	}
	if err := l.cut(rows); err != nil {
		return micro, err
	}
	bins, n := l.packer.Pack(l.lengths, l.capacity, 0)
	for i := range l.chunks {
		bins[i], n = l.room(bins, i, n)
	}
	micro = resized(micro, n)
	for i, chunk := range l.chunks {
		for _, c := range chunk {
			micro[bins[i]].add(c)
		}
	}
	return micro, nil
}

// cut makes chunks: completions of one group side by side, as many as fit into a
// micro-batch with their prompt.
func (l *layout) cut(rows []*rollout.Completion) error {
	l.chunks, l.lengths = l.chunks[:0], l.lengths[:0]
	for i := 0; i < len(rows); {
		first := rows[i]
		length := len(first.Prompt.IDs) + tokens(first)
		if length > l.capacity {
			return fmt.Errorf("rlhf: %v: got a prompt of %d tokens and a completion of %d, want at most %d together (Options.MicroTokens)", first.Prompt.At, len(first.Prompt.IDs), len(first.Tokens), l.capacity)
		}
		n := 1
		for ; i+n < len(rows) && n < l.most && rows[i+n].Group == first.Group && length+tokens(rows[i+n]) <= l.capacity; n++ {
			length += tokens(rows[i+n])
		}
		if l.whole && i+n < len(rows) && rows[i+n].Group == first.Group {
			return fmt.Errorf("rlhf: %v: got a group of more than %d completions or %d tokens, want it in one micro-batch: the loss lets a group's completions influence each other (Options.MicroTokens, MaxRows)", first.Prompt.At, l.most, l.capacity)
		}
		l.chunks, l.lengths = append(l.chunks, rows[i:i+n]), append(l.lengths, length)
		i += n
	}
	return nil
}

// tokens is what a completion takes beside its prompt.
func tokens(c *rollout.Completion) int { return max(0, len(c.Tokens)-1) }

// room moves chunk i to a micro-batch of its own where its own has too many rows.
func (l *layout) room(bins []int32, i, n int) (int32, int) {
	rows := len(l.chunks[i])
	for k := range i {
		if bins[k] == bins[i] {
			rows += len(l.chunks[k])
		}
	}
	if rows <= l.most {
		return bins[i], n
	}
	return int32(n), n + 1
}

package rlhf

import (
	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// microBatch is one packed micro-batch of completions, its rows. Every token of a
// completion is a target; those of a row stand together.
type microBatch struct {
	data.Packed
	rows    []*rollout.Completion // (R)
	ends    []int32               // (R) exclusive end of each row's targets
	row     []int32               // (M) row of each target
	groups  []int32               // (G) exclusive end of each group's rows
	group   []int32               // (R) group of each row
	prompts map[int64]int32       // segment of each group's prompt
	texts   int                   // tokens of prompts and completions, prompts counted once a completion
}

// reset empties the micro-batch and keeps its memory.
func (b *microBatch) reset() {
	b.Packed.Reset()
	b.rows, b.ends, b.row, b.texts = b.rows[:0], b.ends[:0], b.row[:0], 0
	b.groups, b.group = b.groups[:0], b.group[:0]
	if b.prompts == nil {
		b.prompts = map[int64]int32{}
	}
	clear(b.prompts)
}

// add appends a completion. Its group's prompt is a segment of its own, computed
// once for all of the group that are here; the completion follows it as another,
// without its last token, after which nothing is predicted.
func (b *microBatch) add(c *rollout.Completion) {
	prompt, ok := b.prompts[c.Group]
	if !ok {
		prompt = b.segment(c.Prompt.IDs, 0, -1)
		b.prompts[c.Group] = prompt
	}
	before := b.Ends[prompt] - 1 // the row that predicts the first token
	at := int32(len(b.Tokens))
	n := len(c.Tokens)
	for i, t := range c.Tokens {
		if i < n-1 {
			b.token(t.ID, int32(len(c.Prompt.IDs)+i))
		}
		b.Rows, b.Targets = append(b.Rows, before), append(b.Targets, t.ID)
		b.row = append(b.row, int32(len(b.rows)))
		before = at + int32(i)
	}
	if n > 1 {
		b.Ends, b.Prefix = append(b.Ends, int32(len(b.Tokens))), append(b.Prefix, prompt)
	}
	if n := len(b.rows); n == 0 || b.rows[n-1].Group != c.Group {
		b.groups = append(b.groups, 0)
	}
	b.rows, b.ends = append(b.rows, c), append(b.ends, int32(len(b.Targets)))
	b.groups[len(b.groups)-1], b.group = int32(len(b.rows)), append(b.group, int32(len(b.groups)-1))
	b.texts += len(c.Prompt.IDs) + n
}

// segment appends tokens as a segment and returns its number.
func (b *microBatch) segment(ids []int32, position, prefix int32) int32 {
	for i, id := range ids {
		b.token(id, position+int32(i))
	}
	b.Ends, b.Prefix = append(b.Ends, int32(len(b.Tokens))), append(b.Prefix, prefix)
	return int32(len(b.Ends)) - 1
}

func (b *microBatch) token(id, position int32) {
	b.Tokens, b.Positions = append(b.Tokens, id), append(b.Positions, position)
}

// span are the targets of row i.
func (b *microBatch) span(i int) (lo, hi int) {
	if i > 0 {
		lo = int(b.ends[i-1])
	}
	return lo, int(b.ends[i])
}

// resized returns n empty micro-batches and keeps the memory of all there were.
func resized(list []microBatch, n int) []microBatch {
	list = list[:cap(list)]
	for len(list) < n {
		list = append(list, microBatch{})
		list = list[:cap(list)]
	}
	list = list[:n]
	for i := range list {
		list[i].reset()
	}
	return list
}

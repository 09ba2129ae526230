package data

import "github.com/posttrain/posttrain/model"

// Packed is one micro-batch: whole examples back to back, one segment each.
// Attention never crosses a segment, positions start at 0 in each, so a segment
// is computed as if it were alone. There is no padding.
type Packed struct {
	model.Batch // Tokens, Positions (N); Ends, Prefix (S), Prefix all -1

	// Rows, Targets and Weights (M) list the predictions that count in the
	// loss: the hidden state of row Rows[j] is to predict the id Targets[j],
	// with weight Weights[j], 1 unless a caller says otherwise. A target stands
	// one token behind its row, in the same segment; the first token of a
	// segment is never one.
	Rows, Targets []int32
	Weights       []float32

	Examples []int32 // (S) dataset index of each segment
}

// Reset empties the micro-batch and keeps its memory.
func (p *Packed) Reset() {
	p.Tokens, p.Positions = p.Tokens[:0], p.Positions[:0]
	p.Ends, p.Prefix, p.Examples = p.Ends[:0], p.Prefix[:0], p.Examples[:0]
	p.Rows, p.Targets, p.Weights = p.Rows[:0], p.Targets[:0], p.Weights[:0]
}

// Add appends an example as a new segment; index is its place in the dataset.
func (p *Packed) Add(e Example, index int32) {
	at := int32(len(p.Tokens))
	p.Tokens = append(p.Tokens, e.IDs...)
	for i := range e.IDs {
		p.Positions = append(p.Positions, int32(i))
		if i > 0 && e.Mask[i] {
			p.Rows = append(p.Rows, at+int32(i)-1)
			p.Targets = append(p.Targets, e.IDs[i])
			p.Weights = append(p.Weights, 1)
		}
	}
	p.Ends = append(p.Ends, int32(len(p.Tokens)))
	p.Prefix = append(p.Prefix, -1)
	p.Examples = append(p.Examples, index)
}

// reserve makes room for tokens tokens and segments segments.
func (p *Packed) reserve(tokens, segments int) {
	reserve(&p.Tokens, tokens)
	reserve(&p.Positions, tokens)
	reserve(&p.Rows, tokens)
	reserve(&p.Targets, tokens)
	reserve(&p.Weights, tokens)
	reserve(&p.Ends, segments)
	reserve(&p.Prefix, segments)
	reserve(&p.Examples, segments)
}

func reserve[T any](s *[]T, n int) {
	if cap(*s) < n {
		*s = make([]T, 0, n)
	}
}

// Step holds the micro-batches of one optimizer step.
type Step struct {
	Micro   []Packed
	Targets float64 // sum of Weights, what the step's loss is divided by; set it anew after changing them
	Tokens  int     // real tokens
	Epoch   float64 // epochs finished after this step, with the share of the one under way
}

// StepSource yields the micro-batches of one optimizer step after the other.
type StepSource interface {
	// Next fills step with the next step, reusing its memory: it allocates only
	// when a step is larger than all before it. It returns [io.EOF] after the
	// last step.
	Next(step *Step) error
}

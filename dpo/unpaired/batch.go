package unpaired

import (
	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// Batch is one packed micro-batch of R rows, a segment each. Its targets are the
// tokens of the completions.
type Batch struct {
	data.Packed

	TargetEnds []int32 // (R) exclusive end of each row's targets
	Desirable  []bool  // (R)
	Likeness   []float64

	// Mismatched are texts of this micro-batch's prompts and completions of other
	// rows, from which KTO estimates how far the policy is from its reference, and
	// MismatchedEnds the ends of their targets. Losses that do not ask for them
	// leave them alone.
	Mismatched     data.Packed
	MismatchedEnds []int32
}

// Reset empties the micro-batch and keeps its memory.
func (b *Batch) Reset() {
	b.Packed.Reset()
	b.Mismatched.Reset()
	b.TargetEnds, b.Desirable, b.Likeness, b.MismatchedEnds = b.TargetEnds[:0], b.Desirable[:0], b.Likeness[:0], b.MismatchedEnds[:0]
}

// Add appends a row; index is its place in the dataset.
func (b *Batch) Add(r Row, index int32) {
	policy.AppendText(&b.Packed, r.Prompt, r.Completion, index)
	b.TargetEnds = append(b.TargetEnds, int32(len(b.Targets)))
	b.Desirable, b.Likeness = append(b.Desirable, r.Desirable), append(b.Likeness, r.Likeness)
}

// AddMismatched appends a prompt with the completion of another row.
func (b *Batch) AddMismatched(prompt, completion []int32, index int32) {
	policy.AppendText(&b.Mismatched, prompt, completion, index)
	b.MismatchedEnds = append(b.MismatchedEnds, int32(len(b.Mismatched.Targets)))
}

// Step holds the micro-batches of one optimizer step.
type Step struct {
	Micro []Batch
	Epoch float64 // epochs finished after this step, with the share of the one under way
}

// StepSource yields the micro-batches of one optimizer step after the other.
// Batcher is one.
type StepSource interface {
	// Next fills step with the next step, reusing its memory. It returns io.EOF
	// after the last step.
	Next(step *Step) error
}

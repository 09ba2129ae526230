package dpo

import (
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
)

// prompts are a program's inputs for losses that learn prompts too
// (Traits.Prompt): which rows predict the tokens of each pair's prompt.
type prompts struct {
	rows, targets, ends *tensor.Node  // (P), (P), (B) int32
	mean                policy.Number // (1) mean tokens of prompt and chosen answer

	rowsOf, targetsOf, endsOf []int32
}

// axisPrompts is the dynamic axis of the prompts' tokens.
const axisPrompts = "prompts"

func (x *prompts) declare(g *tensor.Graph, s size, dt tensor.Dtype) {
	x.rows = tensor.Input(g, tensor.Int32, "batch.prompt_rows", s.targets())
	x.targets = tensor.Input(g, tensor.Int32, "batch.prompt_targets", s.targets())
	x.ends = tensor.Input(g, tensor.Int32, "batch.prompt_ends", s.pairs)
	x.mean.Declare(g, dt, "batch.mean_text", 1)
}

// bind points the inputs at the prompts of a micro-batch.
func (x *prompts) bind(run *tensor.Program, b *Batch, mean float64) error {
	x.rowsOf, x.targetsOf, x.endsOf = b.appendPrompts(x.rowsOf[:0], x.targetsOf[:0], x.endsOf[:0])
	if err := policy.SetLive(run, axisPrompts, len(x.rowsOf)); err != nil {
		return err
	}
	for _, in := range [...]struct {
		n *tensor.Node
		v []int32
	}{{x.rows, x.rowsOf}, {x.targets, x.targetsOf}, {x.ends, x.endsOf}} {
		if err := tensor.Bind(run, in.n, in.v); err != nil {
			return err
		}
	}
	return x.mean.Bind(run, max(1, mean))
}

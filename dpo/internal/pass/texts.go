package pass

import (
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// Size is the capacity of a program.
type Size struct{ Tokens, Segments, Targets int }

// Names of the programs' dynamic axes.
const (
	AxisTokens   = "tokens"
	AxisSegments = "segments"
	AxisTargets  = "targets"
)

// Texts are the inputs that say which tokens are computed and scored.
type Texts struct {
	Tokens, Positions, Ends, Prefix, Rows, Targets *tensor.Node
}

// Declare adds the inputs to the graph.
func (x *Texts) Declare(g *tensor.Graph, s Size) {
	x.Tokens = tensor.Input(g, tensor.Int32, "batch.tokens", s.Tokens)
	x.Positions = tensor.Input(g, tensor.Int32, "batch.positions", s.Tokens)
	x.Ends = tensor.Input(g, tensor.Int32, "batch.ends", s.Segments)
	x.Prefix = tensor.Input(g, tensor.Int32, "batch.prefix", s.Segments)
	x.Rows = tensor.Input(g, tensor.Int32, "batch.rows", s.Targets)
	x.Targets = tensor.Input(g, tensor.Int32, "batch.targets", s.Targets)
}

// Inputs makes the inputs of a forward pass. Dropout is off, as in TRL: a policy
// with dropout would differ from its reference from the start.
func (x *Texts) Inputs(adapter string) *model.Inputs {
	return &model.Inputs{Tokens: x.Tokens, Positions: x.Positions, Ends: x.Ends, Prefix: x.Prefix, Adapter: adapter}
}

// Axes lists the dynamic axes; the arguments are further inputs along segments and
// targets.
func (x *Texts) Axes(segments, targets tensor.Nodes) []tensor.Axis {
	return []tensor.Axis{
		{Name: AxisTokens, Inputs: tensor.Nodes{x.Tokens, x.Positions}},
		{Name: AxisSegments, Inputs: append(tensor.Nodes{x.Ends, x.Prefix}, segments...)},
		{Name: AxisTargets, Inputs: append(tensor.Nodes{x.Rows, x.Targets}, targets...)},
	}
}

// Bind points the inputs at a micro-batch.
func (x *Texts) Bind(run *tensor.Program, b *data.Packed) error {
	for _, a := range [...]struct {
		name string
		n    int
	}{{AxisTokens, len(b.Tokens)}, {AxisSegments, len(b.Ends)}, {AxisTargets, len(b.Rows)}} {
		if err := SetLive(run, a.name, a.n); err != nil {
			return err
		}
	}
	for _, in := range [...]struct {
		n *tensor.Node
		v []int32
	}{{x.Tokens, b.Tokens}, {x.Positions, b.Positions}, {x.Ends, b.Ends}, {x.Prefix, b.Prefix}, {x.Rows, b.Rows}, {x.Targets, b.Targets}} {
		if err := tensor.Bind(run, in.n, in.v); err != nil {
			return err
		}
	}
	return nil
}

// SetLive says how much of an axis a micro-batch uses.
func SetLive(run *tensor.Program, axis string, n int) error {
	if got := run.Capacity(axis); n > got {
		return fmt.Errorf("micro-batch has %d %s, want at most %d (MicroTokens and the number of examples in Options)", n, axis, got)
	}
	return run.SetLive(axis, n)
}

package dpo

import (
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// size is the capacity of a program.
type size struct{ tokens, pairs int }

// segments is the number of segments of that many pairs, each with a prompt of
// its own.
func (s size) segments() int { return 3 * s.pairs }

// Names of the programs' dynamic axes.
const (
	axisTokens   = "tokens"
	axisSegments = "segments"
	axisTargets  = "targets"
	axisPairs    = "pairs"
)

// texts are the inputs that say which tokens are computed and scored.
type texts struct {
	tokens, positions, ends, prefix, rows, targets *tensor.Node
}

func (x *texts) declare(g *tensor.Graph, s size) {
	x.tokens = tensor.Input(g, tensor.Int32, "batch.tokens", s.tokens)
	x.positions = tensor.Input(g, tensor.Int32, "batch.positions", s.tokens)
	x.ends = tensor.Input(g, tensor.Int32, "batch.ends", s.segments())
	x.prefix = tensor.Input(g, tensor.Int32, "batch.prefix", s.segments())
	x.rows = tensor.Input(g, tensor.Int32, "batch.rows", s.targets())
	x.targets = tensor.Input(g, tensor.Int32, "batch.targets", s.targets())
}

// targets is the largest number of scored tokens: every token of an answer is
// predicted by a row, the last of a prompt predicts two.
func (s size) targets() int { return s.tokens }

// inputs makes the inputs of a forward pass. Dropout is off, as in TRL: a policy
// with dropout would differ from its reference from the start.
func (x *texts) inputs(adapter string) *model.Inputs {
	return &model.Inputs{Tokens: x.tokens, Positions: x.positions, Ends: x.ends, Prefix: x.prefix, Adapter: adapter}
}

// axes lists the dynamic axes; more are further inputs along segments and targets.
func (x *texts) axes(segments, targets tensor.Nodes) []tensor.Axis {
	return []tensor.Axis{
		{Name: axisTokens, Inputs: tensor.Nodes{x.tokens, x.positions}},
		{Name: axisSegments, Inputs: append(tensor.Nodes{x.ends, x.prefix}, segments...)},
		{Name: axisTargets, Inputs: append(tensor.Nodes{x.rows, x.targets}, targets...)},
	}
}

// bind points the inputs at the micro-batch.
func (x *texts) bind(run *tensor.Program, b *Batch) error {
	for _, a := range [...]struct {
		name string
		n    int
	}{{axisTokens, len(b.Tokens)}, {axisSegments, len(b.Ends)}, {axisTargets, len(b.Rows)}} {
		if err := setLive(run, a.name, a.n); err != nil {
			return err
		}
	}
	for _, in := range [...]struct {
		n *tensor.Node
		v []int32
	}{{x.tokens, b.Tokens}, {x.positions, b.Positions}, {x.ends, b.Ends}, {x.prefix, b.Prefix}, {x.rows, b.Rows}, {x.targets, b.Targets}} {
		if err := tensor.Bind(run, in.n, in.v); err != nil {
			return err
		}
	}
	return nil
}

func setLive(run *tensor.Program, axis string, n int) error {
	if got := run.Capacity(axis); n > got {
		return fmt.Errorf("dpo: micro-batch has %d %s, want at most %d (Options.MicroTokens and MaxPairs)", n, axis, got)
	}
	return run.SetLive(axis, n)
}

// number is a floating-point input in its program's precision.
type number struct {
	node   *tensor.Node
	single []float32
	wide   []float64
}

func (x *number) declare(g *tensor.Graph, dt tensor.Dtype, name string, n int) *tensor.Node {
	x.node = tensor.Input(g, dt, name, n)
	return x.node
}

// bind copies the values to where the program reads them.
func (x *number) bind(run *tensor.Program, values ...float64) error {
	if x.node.Dtype() == tensor.Float64 {
		x.wide = append(x.wide[:0], values...)
		return tensor.Bind(run, x.node, x.wide)
	}
	x.single = x.single[:0]
	for _, v := range values {
		x.single = append(x.single, float32(v))
	}
	return tensor.Bind(run, x.node, x.single)
}

// appendValues appends an output to dst in float64.
func appendValues(dst []float64, run *tensor.Program, n *tensor.Node) ([]float64, error) {
	if n.Dtype() == tensor.Float64 {
		v, err := tensor.Values[float64](run, n)
		return append(dst, v...), err
	}
	v, err := tensor.Values[float32](run, n)
	for _, x := range v {
		dst = append(dst, float64(x))
	}
	return dst, err
}

package reward

import (
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// Names of the programs' dynamic axes.
const (
	axisTokens   = "tokens"
	axisSegments = "segments"
	axisRows     = "scored tokens"
	axisAnswers  = "answers"
	axisPairs    = "comparisons"
	axisGroups   = "groups"
)

// integers is an input of integers.
type integers struct {
	node *tensor.Node
	of   func(b *Batch) []int32
}

// number is a floating-point input in its program's precision.
type number struct {
	node   *tensor.Node
	of     func(b *Batch) []float64
	single []float32
}

// bind copies the values to where the program reads them.
func (x *number) bind(run *tensor.Program, values []float64) error {
	if x.node.Dtype() == tensor.Float64 {
		return tensor.Bind(run, x.node, values)
	}
	x.single = x.single[:0]
	for _, v := range values {
		x.single = append(x.single, float32(v))
	}
	return tensor.Bind(run, x.node, x.single)
}

// inputs are the arrays of a micro-batch as nodes, along their axes.
type inputs struct {
	integers []integers
	numbers  []number
	axes     []tensor.Axis
}

// axis says along which axis the inputs that follow lie.
func (x *inputs) axis(name string) { x.axes = append(x.axes, tensor.Axis{Name: name}) }

func (x *inputs) along(n *tensor.Node) *tensor.Node {
	a := &x.axes[len(x.axes)-1]
	a.Inputs = append(a.Inputs, n)
	return n
}

func (x *inputs) ints(g *tensor.Graph, name string, n int, of func(b *Batch) []int32) *tensor.Node {
	node := x.along(tensor.Input(g, tensor.Int32, "batch."+name, n))
	x.integers = append(x.integers, integers{node, of})
	return node
}

// floats declares inputs of a precision.
type floats struct {
	*inputs
	dt tensor.Dtype
}

func (x floats) number(g *tensor.Graph, name string, n int, of func(b *Batch) []float64) *tensor.Node {
	node := x.along(tensor.Input(g, x.dt, "batch."+name, n))
	x.numbers = append(x.numbers, number{node: node, of: of})
	return node
}

// texts declares which tokens are computed.
func (x *inputs) texts(g *tensor.Graph, c Capacity, adapter string) *model.Inputs {
	x.axis(axisTokens)
	tokens := x.ints(g, "tokens", c.Tokens, func(b *Batch) []int32 { return b.Tokens })
	positions := x.ints(g, "positions", c.Tokens, func(b *Batch) []int32 { return b.Positions })
	x.axis(axisSegments)
	ends := x.ints(g, "ends", c.Segments, func(b *Batch) []int32 { return b.Ends })
	prefix := x.ints(g, "prefix", c.Segments, func(b *Batch) []int32 { return b.Prefix })
	// Dropout is off, as in TRL: a score should not depend on luck.
	return &model.Inputs{Tokens: tokens, Positions: positions, Ends: ends, Prefix: prefix, Adapter: adapter}
}

// rows declares which tokens are scored.
func (x *inputs) rows(g *tensor.Graph, c Capacity) *tensor.Node {
	x.axis(axisRows)
	return x.ints(g, "rows", c.Rows, func(b *Batch) []int32 { return b.Rows })
}

// targets declares what a loss sees beside the scores.
func (x floats) targets(g *tensor.Graph, c Capacity) Scores {
	var s Scores
	s.RowLabel = x.number(g, "row_labels", c.Rows, func(b *Batch) []float64 { return b.RowLabels })
	s.RowWeight = x.number(g, "row_weights", c.Rows, func(b *Batch) []float64 { return b.RowWeight })
	x.axis(axisAnswers)
	s.Last = x.ints(g, "last", c.Answers, func(b *Batch) []int32 { return b.Last })
	s.Label = x.number(g, "labels", c.Answers, func(b *Batch) []float64 { return b.Labels })
	s.AnswerWeight = x.number(g, "weights", c.Answers, func(b *Batch) []float64 { return b.Weight })
	s.Length = x.number(g, "lengths", c.Answers, func(b *Batch) []float64 { return b.Lengths })
	x.axis(axisPairs)
	s.Better = x.ints(g, "better", c.Comparisons, func(b *Batch) []int32 { return b.Better })
	s.Worse = x.ints(g, "worse", c.Comparisons, func(b *Batch) []int32 { return b.Worse })
	s.Margin = x.number(g, "margins", c.Comparisons, func(b *Batch) []float64 { return b.Margins })
	s.PairWeight = x.number(g, "pair_weights", c.Comparisons, func(b *Batch) []float64 { return b.PairWeight })
	x.axis(axisGroups)
	s.RowEnds = x.ints(g, "row_ends", c.Groups, func(b *Batch) []int32 { return b.RowEnds })
	s.AnswerEnds = x.ints(g, "answer_ends", c.Groups, func(b *Batch) []int32 { return b.AnswerEnds })
	s.PairEnds = x.ints(g, "pair_ends", c.Groups, func(b *Batch) []int32 { return b.PairEnds })
	return s
}

// live is how many of an axis' elements a micro-batch has.
func live(b *Batch, axis string) int {
	switch axis {
	case axisTokens:
		return len(b.Tokens)
	case axisSegments:
		return len(b.Ends)
	case axisRows:
		return len(b.Rows)
	case axisAnswers:
		return len(b.Last)
	case axisPairs:
		return len(b.Better)
	}
	return len(b.Groups)
}

// bind points the inputs at the micro-batch.
func (x *inputs) bind(run *tensor.Program, b *Batch) error {
	for _, a := range x.axes {
		n := live(b, a.Name)
		if got := run.Capacity(a.Name); n > got {
			return fmt.Errorf("reward: micro-batch has %d %s, want at most %d (Options.Capacity)", n, a.Name, got)
		}
		if err := run.SetLive(a.Name, n); err != nil {
			return err
		}
	}
	for _, in := range x.integers {
		if err := tensor.Bind(run, in.node, in.of(b)); err != nil {
			return err
		}
	}
	for i := range x.numbers {
		if err := x.numbers[i].bind(run, x.numbers[i].of(b)); err != nil {
			return err
		}
	}
	return nil
}

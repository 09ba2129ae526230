package policy

import (
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// Names of the dynamic axes of Texts.
const (
	AxisTokens   = "tokens"
	AxisSegments = "segments"
	AxisTargets  = "targets"
)

// Size is the capacity of Texts.
type Size struct{ Tokens, Segments, Targets int }

// Texts are the inputs that say which tokens are computed and scored.
type Texts struct {
	Tokens, Positions, Ends, Prefix, Rows, Targets *tensor.Node
}

// Declare adds the inputs to a graph.
func (x *Texts) Declare(g *tensor.Graph, s Size) {
	x.Tokens = tensor.Input(g, tensor.Int32, "batch.tokens", s.Tokens)
	x.Positions = tensor.Input(g, tensor.Int32, "batch.positions", s.Tokens)
	x.Ends = tensor.Input(g, tensor.Int32, "batch.ends", s.Segments)
	x.Prefix = tensor.Input(g, tensor.Int32, "batch.prefix", s.Segments)
	x.Rows = tensor.Input(g, tensor.Int32, "batch.rows", s.Targets)
	x.Targets = tensor.Input(g, tensor.Int32, "batch.targets", s.Targets)
}

// Inputs are those of a model's forward pass. Dropout is off, as in TRL: a policy
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
	return BindInts(run, Ints{x.Tokens, b.Tokens}, Ints{x.Positions, b.Positions}, Ints{x.Ends, b.Ends},
		Ints{x.Prefix, b.Prefix}, Ints{x.Rows, b.Rows}, Ints{x.Targets, b.Targets})
}

// SetLive sets the live size of an axis and refuses what is above its capacity.
func SetLive(run *tensor.Program, axis string, n int) error {
	if got := run.Capacity(axis); n > got {
		return fmt.Errorf("micro-batch has %d %s, want at most %d (MicroTokens and the number of examples in Options)", n, axis, got)
	}
	return run.SetLive(axis, n)
}

// Ints are the values of an input.
type Ints struct {
	Node   *tensor.Node
	Values []int32
}

// BindInts points inputs at their values.
func BindInts(run *tensor.Program, list ...Ints) error {
	for _, in := range list {
		if err := tensor.Bind(run, in.Node, in.Values); err != nil {
			return err
		}
	}
	return nil
}

// Number is a floating-point input in its program's precision.
type Number struct {
	Node   *tensor.Node
	single []float32
	wide   []float64
}

// Declare adds the input, (n), to a graph.
func (x *Number) Declare(g *tensor.Graph, dt tensor.Dtype, name string, n int) *tensor.Node {
	x.Node = tensor.Input(g, dt, name, n)
	return x.Node
}

// Bind copies the values to where the program reads them.
func (x *Number) Bind(run *tensor.Program, values ...float64) error {
	if x.Node.Dtype() == tensor.Float64 {
		x.wide = append(x.wide[:0], values...)
		return tensor.Bind(run, x.Node, x.wide)
	}
	x.single = x.single[:0]
	for _, v := range values {
		x.single = append(x.single, float32(v))
	}
	return tensor.Bind(run, x.Node, x.single)
}

// AppendValues appends an output to dst in float64.
func AppendValues(dst []float64, run *tensor.Program, n *tensor.Node) ([]float64, error) {
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

// Scalar is the value of an output of one number.
func Scalar(run *tensor.Program, n *tensor.Node) (float64, error) {
	var one [1]float64
	v, err := AppendValues(one[:0], run, n)
	if err != nil {
		return 0, err
	}
	return v[0], nil
}

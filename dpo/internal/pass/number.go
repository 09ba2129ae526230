package pass

import (
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// Precision is what the model computes in.
func Precision(m model.Model) tensor.Dtype {
	if m.Head().Dtype() == tensor.Float64 {
		return tensor.Float64
	}
	return tensor.Float32
}

// Number is a floating-point input in its program's precision.
type Number struct {
	Node   *tensor.Node
	single []float32
	wide   []float64
}

// Declare adds the input, of n numbers, to the graph.
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

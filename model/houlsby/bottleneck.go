package houlsby

import (
	"hash/fnv"
	"math/rand/v2"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// startStd is the standard deviation of W_down at the start, as in the paper's
// section 2.1, which cuts the tails off at two of it.
const startStd = 0.01

// bottleneck is the adapter behind one layer.
type bottleneck struct {
	layer            *nn.Linear
	down, up         *tensor.Param // (width, D), (D, width)
	downBias, upBias *tensor.Param // (width), (D)
	activation       tensor.Activation
}

var _ nn.Adapter = (*bottleneck)(nil)

// newBottleneck makes one with zero values, in float64 beside such weights.
func newBottleneck(l *nn.Linear, width int, act tensor.Activation) (*bottleneck, error) {
	b := &bottleneck{layer: l, activation: act}
	d := l.Out()
	for _, p := range []struct {
		to    **tensor.Param
		name  string
		shape []int
	}{
		{&b.down, "down.weight", []int{width, d}}, {&b.downBias, "down.bias", []int{width}},
		{&b.up, "up.weight", []int{d, width}}, {&b.upBias, "up.bias", []int{d}},
	} {
		n := p.shape[0]
		if len(p.shape) > 1 {
			n *= p.shape[1]
		}
		name, err := l.Path+".adapter_"+p.name, error(nil)
		if l.Weight.Dtype() == tensor.Float64 {
			*p.to, err = tensor.NewParam(name, make([]float64, n), p.shape...)
		} else {
			*p.to, err = tensor.NewParam(name, make([]float32, n), p.shape...)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// params lists the parameters in a stable order.
func (b *bottleneck) params() []*tensor.Param {
	return []*tensor.Param{b.down, b.downBias, b.up, b.upBias}
}

// initialise draws W_down; everything else stays zero. Values depend on the seed
// and the layer's path only.
func (b *bottleneck) initialise(seed uint64) error {
	h := fnv.New64a()
	h.Write([]byte(b.down.Name()))
	r := rand.New(rand.NewPCG(seed, h.Sum64()))
	x := make([]float64, b.down.Len())
	for i := range x {
		z := r.NormFloat64()
		for z < -2 || z > 2 {
			z = r.NormFloat64()
		}
		x[i] = startStd * z
	}
	return b.down.Set(x)
}

// Forward maps x to what the layer computes, and the adapter behind it; it
// implements nn.Adapter.
func (b *bottleneck) Forward(in *nn.Inputs, l *nn.Linear, x *tensor.Node) *tensor.Node {
	g, h := x.Graph(), l.Plain(in, x)
	low := tensor.Activate(tensor.Linear(h, b.down.Node(g), b.downBias.Node(g)), b.activation)
	return tensor.Add(h, tensor.Linear(low, b.up.Node(g), b.upBias.Node(g)))
}

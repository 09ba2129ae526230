package gradcheck

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/posttrain/posttrain/tensor"
)

// Check compares the gradients of f, by every input that is not constant and by
// every parameter, with central differences. It returns an error that wraps
// ErrGradient and names the worst element where they differ by more than the
// tolerance, and other errors where f cannot be built or run.
func Check(f Function, o Options) (Result, error) {
	o = o.withDefaults()
	if err := f.Validate(); err != nil {
		return Result{}, err
	}
	c, err := newCheck(&f, o)
	if err != nil {
		return Result{}, err
	}
	grads, err := c.gradients()
	if err != nil {
		return Result{}, err
	}
	for i := range c.variables {
		if err := c.compare(&c.variables[i], grads[i]); err != nil {
			return Result{}, err
		}
	}
	if !(c.result.Worst.Error <= o.Tolerance) {
		return c.result, fmt.Errorf("gradcheck: %v, want error at most %g: %w", c.result.Worst, o.Tolerance, ErrGradient)
	}
	return c.result, nil
}

// check is the state of one Check.
type check struct {
	f         *Function
	o         Options
	nodes     map[string]*tensor.Node
	outs      tensor.Nodes // of Float64
	seeds     tensor.Nodes
	weights   [][]float64
	variables []variable
	forward   *tensor.Program
	backward  *tensor.Program
	magnitude float64 // Σ |weight·output|
	result    Result
}

// variable is an input or parameter to differentiate by.
type variable struct {
	name string
	data []float64
	grad *tensor.Node  // of an input; nil where it does not influence the outputs
	into *tensor.Param // of a parameter
}

func newCheck(f *Function, o Options) (*check, error) {
	c := &check{f: f, o: o, nodes: map[string]*tensor.Node{}}
	var accumulate []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) { accumulate = c.build(g) })
	if err != nil {
		return nil, err
	}
	options := tensor.CompileOptions{Debug: tensor.Debug{Poison: true}}
	for _, a := range f.Axes {
		axis := tensor.Axis{Name: a.Name}
		for _, name := range a.Inputs {
			axis.Inputs = append(axis.Inputs, c.nodes[name])
		}
		options.Axes = append(options.Axes, axis)
	}
	if c.forward, err = tensor.Compile(g, c.outs, options); err != nil {
		return nil, err
	}
	var wanted tensor.Nodes
	for _, v := range c.variables {
		if v.grad != nil {
			wanted = append(wanted, v.grad)
		}
	}
	options.Accumulate = accumulate
	if c.backward, err = tensor.Compile(g, wanted, options); err != nil {
		return nil, err
	}
	return c, c.prepare()
}

// build describes the function and its reverse pass.
func (c *check) build(g *tensor.Graph) (accumulate []tensor.Accumulation) {
	var wrt tensor.Nodes
	for i := range c.f.Inputs {
		in := &c.f.Inputs[i]
		dt := tensor.Float64
		if in.IDs != nil {
			dt = tensor.Int32
		}
		n := tensor.Input(g, dt, in.Name, in.shape()...)
		c.nodes[in.Name] = n
		if in.Data != nil && !in.Constant {
			c.variables = append(c.variables, variable{name: in.Name, data: append([]float64(nil), in.Data...)})
			wrt = append(wrt, n)
		}
	}
	for _, p := range c.f.Params {
		c.variables = append(c.variables, variable{name: p.Name(), data: p.Data64(), into: p})
		wrt = append(wrt, p.Node(g))
	}
	for i, out := range c.f.Build(g, c.nodes) {
		switch out.Dtype() {
		case tensor.Int32:
			continue
		case tensor.Float64:
		default:
			tensor.Fail("gradcheck: output %d has element type %v, want float64", i, out.Dtype())
		}
		c.outs = append(c.outs, out)
		c.seeds = append(c.seeds, tensor.Input(g, tensor.Float64, fmt.Sprintf("gradcheck.seed%d", i), out.Shape()...))
	}
	for i, parts := range tensor.Gradients(c.outs, c.seeds, wrt) {
		v := &c.variables[i]
		for _, part := range parts {
			switch {
			case v.into != nil:
				accumulate = append(accumulate, tensor.Accumulation{Grad: part, Into: v.into})
			case v.grad == nil:
				v.grad = part
			default:
				v.grad = tensor.Add(v.grad, part)
			}
		}
	}
	return accumulate
}

// prepare binds inputs, sets live sizes, runs forward once and draws the
// outputs' weights.
func (c *check) prepare() error {
	for _, p := range []*tensor.Program{c.forward, c.backward} {
		p.SetRandom(c.o.Seed, 0)
		for _, a := range c.f.Axes {
			if err := p.SetLive(a.Name, a.Live); err != nil {
				return err
			}
		}
		if err := c.bind(p); err != nil {
			return err
		}
	}
	if err := c.forward.Run(); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(c.o.Seed, 0x67726164))
	for i, n := range c.outs {
		out, err := tensor.Values[float64](c.forward, n)
		if err != nil {
			return err
		}
		w := make([]float64, len(out))
		for k := range w {
			w[k] = rng.NormFloat64()
			c.magnitude += math.Abs(w[k] * out[k])
		}
		c.weights = append(c.weights, w)
		if err := tensor.Bind(c.backward, c.seeds[i], c.padded(n, w)); err != nil {
			return err
		}
	}
	return nil
}

// padded is w at the capacity of n: a seed is not an input of a dynamic axis.
func (c *check) padded(n *tensor.Node, w []float64) []float64 {
	return append(w[:len(w):len(w)], make([]float64, n.Shape().TotalSize()-len(w))...)
}

func (c *check) bind(p *tensor.Program) error {
	at := 0
	for i := range c.f.Inputs {
		in := &c.f.Inputs[i]
		var err error
		switch {
		case in.IDs != nil:
			err = tensor.Bind(p, c.nodes[in.Name], in.IDs)
		case in.Constant:
			err = tensor.Bind(p, c.nodes[in.Name], in.Data)
		default:
			err = tensor.Bind(p, c.nodes[in.Name], c.variables[at].data)
			at++
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// gradients runs the reverse pass and returns copies in the order of variables.
func (c *check) gradients() ([][]float64, error) {
	for _, p := range c.f.Params {
		p.ZeroGrad()
	}
	if err := c.backward.Run(); err != nil {
		return nil, err
	}
	res := make([][]float64, len(c.variables))
	for i, v := range c.variables {
		res[i] = make([]float64, len(v.data))
		switch {
		case v.into != nil:
			copy(res[i], v.into.Grad64())
		case v.grad != nil:
			g, err := tensor.Values[float64](c.backward, v.grad)
			if err != nil {
				return nil, err
			}
			res[i] = append(res[i][:0], g...)
		}
	}
	return res, nil
}

// compare checks one variable's gradient against differences.
func (c *check) compare(v *variable, grad []float64) error {
	stride := 1
	if c.o.Samples > 0 {
		stride = max(1, (len(grad)+c.o.Samples-1)/c.o.Samples)
	}
	var tried []Deviation
	scale := 1e-4 * c.magnitude
	for i := 0; i < len(grad); i += stride {
		want, err := c.difference(v.data, i)
		if err != nil {
			return err
		}
		tried = append(tried, Deviation{Name: v.name, Index: i, Got: grad[i], Want: want})
		scale = max(scale, math.Abs(want))
	}
	for _, d := range tried {
		if d.Got != d.Want {
			d.Error = math.Abs(d.Got-d.Want) / scale
		}
		// A NaN is worse than anything.
		if c.result.Checked == 0 || !(d.Error <= c.result.Worst.Error) && !math.IsNaN(c.result.Worst.Error) {
			c.result.Worst = d
		}
		c.result.Checked++
	}
	return nil
}

// difference is the central difference by data[i].
func (c *check) difference(data []float64, i int) (float64, error) {
	old := data[i]
	defer func() { data[i] = old }()
	step := c.o.Step * max(1, math.Abs(old))
	data[i] = old + step
	up, err := c.value()
	if err != nil {
		return 0, err
	}
	width := data[i]
	data[i] = old - step
	width -= data[i] // what rounding left of 2·step
	down, err := c.value()
	return (up - down) / width, err
}

// value is the weighted sum of the outputs.
func (c *check) value() (total float64, err error) {
	if err := c.forward.Run(); err != nil {
		return 0, err
	}
	for i, n := range c.outs {
		out, err := tensor.Values[float64](c.forward, n)
		if err != nil {
			return 0, err
		}
		for k, x := range out {
			total += x * c.weights[i][k]
		}
	}
	return total, nil
}

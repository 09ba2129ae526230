package modeltest

import (
	"fmt"
	"math"
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// PassOptions say what Compute computes. The zero value gives hidden states,
// log-probabilities and entropies.
type PassOptions struct {
	Adapter string // active adapter
	// Prefix is, for each row, an earlier row whose tokens stand before it, or −1;
	// nil for none. Positions continue those of the prefix.
	Prefix []int32
	// Spare is how many tokens and segments the graph has beyond the live ones.
	Spare  int
	Layers bool // fill Pass.Layers
	Logits bool // fill Pass.Logits
	// Weights turns the loss and the gradients of all trainable parameters on:
	// the loss weight of predicting Weights[row][t], the first of a row unused.
	Weights [][]float64
}

// Pass is what a model computes for a packed batch of N tokens, in float64
// whatever the model computes in.
type Pass struct {
	Starts  []int       // first packed row of each segment, and N
	Layers  [][]float64 // the input of layer 0, then the output of each layer, each (N·D)
	Hidden  []float64   // after the final norm (N·D)
	LogProb []float64   // of the next token in the segment (N); the last of a segment scores token 0
	Entropy []float64   // nats (N)
	Logits  []float64   // (N·V)
	Loss    float64     // Σ weight·(−log p) / Σ weight
	Grads   map[string][]float64
}

// Row is the part of x, (N·width), that belongs to segment i.
func (p *Pass) Row(x []float64, i int) []float64 {
	width := len(x) / p.Starts[len(p.Starts)-1]
	return x[p.Starts[i]*width : p.Starts[i+1]*width]
}

// Compute runs m over rows of token ids, packed into one batch. It reads the
// gradients of parameters that are trainable, and clears them.
func Compute(m model.Model, rows [][]int32, o PassOptions) (*Pass, error) {
	c := newComputation(m, rows, o)
	if err := c.compile(); err != nil {
		return nil, err
	}
	defer c.program.Close()
	for _, q := range c.trained {
		q.ZeroGrad()
	}
	if err := c.bind(); err != nil {
		return nil, err
	}
	if err := c.program.Run(); err != nil {
		return nil, err
	}
	return c.read()
}

// computation is one call of Compute.
type computation struct {
	model   model.Model
	o       PassOptions
	pass    *Pass
	dtype   tensor.Dtype
	trained []*tensor.Param
	total   float64 // Σ weights

	// packed inputs and their nodes
	tokens, positions, ends, prefix, targets, index []int32
	weights                                         []float64
	in                                              model.Inputs
	nodes                                           struct{ rows, targets, weights, seed *tensor.Node }
	layers                                          tensor.Nodes
	hidden, logits, loss                            *tensor.Node
	score                                           tensor.LogProbs
	program                                         *tensor.Program
}

func newComputation(m model.Model, rows [][]int32, o PassOptions) *computation {
	c := &computation{model: m, o: o, pass: &Pass{Starts: []int{0}}, dtype: tensor.Float32}
	if m.Head().Dtype() == tensor.Float64 {
		c.dtype = tensor.Float64
	}
	if o.Weights != nil {
		for _, p := range m.Params() {
			if p.Trainable() {
				c.trained = append(c.trained, p)
			}
		}
	}
	next := make([]int32, len(rows)) // position that follows a row
	for i, row := range rows {
		before := int32(-1)
		if o.Prefix != nil {
			before = o.Prefix[i]
		}
		if before >= 0 {
			next[i] = next[before]
		}
		for t, id := range row {
			target, w := int32(0), 0.0
			if t+1 < len(row) {
				target = row[t+1]
				if o.Weights != nil {
					w = o.Weights[i][t+1]
				}
			}
			c.index = append(c.index, int32(len(c.index)))
			c.tokens, c.targets = append(c.tokens, id), append(c.targets, target)
			c.positions, c.weights = append(c.positions, next[i]), append(c.weights, w)
			c.total += w
			next[i]++
		}
		c.ends, c.prefix = append(c.ends, int32(len(c.tokens))), append(c.prefix, before)
		c.pass.Starts = append(c.pass.Starts, len(c.tokens))
	}
	return c
}

// compile builds the graph and its program.
func (c *computation) compile() error {
	var accumulate []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		c.inputs(g)
		c.outputs(g)
		if len(c.trained) == 0 {
			return
		}
		var wrt tensor.Nodes
		for _, p := range c.trained {
			wrt = append(wrt, p.Node(g))
		}
		c.nodes.seed = tensor.Input(g, c.dtype, "seed", 1)
		for i, parts := range tensor.Gradients(tensor.Nodes{c.loss}, tensor.Nodes{c.nodes.seed}, wrt) {
			for _, part := range parts {
				accumulate = append(accumulate, tensor.Accumulation{Grad: part, Into: c.trained[i]})
			}
		}
	})
	if err != nil {
		return err
	}
	outs := tensor.Nodes{c.hidden, c.score.LogProb, c.score.Entropy}
	if c.logits != nil {
		outs = append(outs, c.logits)
	}
	outs = append(outs, c.layers...)
	c.program, err = tensor.Compile(g, outs, tensor.CompileOptions{Accumulate: accumulate, Axes: []tensor.Axis{
		{Name: "tokens", Inputs: c.tokenInputs()},
		{Name: "segments", Inputs: tensor.Nodes{c.in.Ends, c.in.Prefix}},
	}})
	return err
}

func (c *computation) inputs(g *tensor.Graph) {
	n, s := len(c.tokens)+c.o.Spare, len(c.ends)+c.o.Spare
	c.in = model.Inputs{Adapter: c.o.Adapter}
	c.in.Tokens, c.in.Positions = tensor.Input(g, tensor.Int32, "tokens", n), tensor.Input(g, tensor.Int32, "positions", n)
	c.in.Ends, c.in.Prefix = tensor.Input(g, tensor.Int32, "ends", s), tensor.Input(g, tensor.Int32, "prefix", s)
	c.nodes.rows, c.nodes.targets = tensor.Input(g, tensor.Int32, "rows", n), tensor.Input(g, tensor.Int32, "targets", n)
	if c.o.Weights != nil {
		c.nodes.weights = tensor.Input(g, c.dtype, "weights", n)
	}
	if c.o.Layers {
		c.in.OnEmbedding = func(x *tensor.Node) *tensor.Node { c.layers = append(c.layers, x); return x }
		c.in.OnLayer = func(x *tensor.Node) { c.layers = append(c.layers, x) }
	}
}

func (c *computation) tokenInputs() tensor.Nodes {
	list := tensor.Nodes{c.in.Tokens, c.in.Positions, c.nodes.rows, c.nodes.targets}
	if c.nodes.weights != nil {
		list = append(list, c.nodes.weights)
	}
	return list
}

func (c *computation) outputs(g *tensor.Graph) {
	c.hidden = c.model.Hidden(g, &c.in)
	d := model.Distribution(c.model, &c.in, c.hidden)
	c.score = d.LogProbs(c.nodes.rows, c.nodes.targets)
	if c.o.Logits {
		c.logits = tensor.Linear(d.H, d.Head, nil)
		if d.Low != nil {
			c.logits = tensor.Add(c.logits, tensor.Linear(d.Low, d.LowHead, nil))
		}
		if s := d.Options.LogitScale; s != 0 {
			c.logits = tensor.Scale(c.logits, s)
		}
		if s := d.Options.SoftCap; s != 0 {
			c.logits = tensor.Scale(tensor.Tanh(tensor.Scale(c.logits, 1/s)), s)
		}
	}
	if c.o.Weights != nil {
		c.loss = tensor.MaskedSum(tensor.Neg(c.score.LogProb), c.nodes.weights)
	}
}

func (c *computation) bind() error {
	p, n := c.program, c.pass
	live := n.Starts[len(n.Starts)-1]
	pad := make([]int32, c.o.Spare)
	for _, b := range []struct {
		node *tensor.Node
		data []int32
	}{
		{c.in.Tokens, c.tokens}, {c.in.Positions, c.positions}, {c.in.Ends, c.ends}, {c.in.Prefix, c.prefix},
		{c.nodes.rows, c.index}, {c.nodes.targets, c.targets},
	} {
		if err := tensor.Bind(p, b.node, slices.Concat(b.data, pad)); err != nil {
			return err
		}
	}
	if c.o.Weights != nil {
		if err := c.bindFloats(c.nodes.weights, append(c.weights, make([]float64, c.o.Spare)...)); err != nil {
			return err
		}
	}
	if c.nodes.seed != nil {
		if err := c.bindFloats(c.nodes.seed, []float64{1 / c.total}); err != nil {
			return err
		}
	}
	if err := p.SetLive("tokens", live); err != nil {
		return err
	}
	return p.SetLive("segments", len(c.ends))
}

func (c *computation) bindFloats(n *tensor.Node, x []float64) error {
	if c.dtype == tensor.Float64 {
		return tensor.Bind(c.program, n, x)
	}
	y := make([]float32, len(x))
	for i := range x {
		y[i] = float32(x[i])
	}
	return tensor.Bind(c.program, n, y)
}

// values is a copy of an output as float64.
func (c *computation) values(n *tensor.Node) ([]float64, error) {
	if c.dtype == tensor.Float64 {
		v, err := tensor.Values[float64](c.program, n)
		return slices.Clone(v), err
	}
	v, err := tensor.Values[float32](c.program, n)
	return widened(v), err
}

func widened(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

func (c *computation) read() (*Pass, error) {
	var failed error
	get := func(n *tensor.Node) []float64 {
		v, err := c.values(n)
		if err != nil && failed == nil {
			failed = err
		}
		return v
	}
	p := c.pass
	p.Hidden, p.LogProb, p.Entropy = get(c.hidden), get(c.score.LogProb), get(c.score.Entropy)
	for _, n := range c.layers {
		p.Layers = append(p.Layers, get(n))
	}
	if c.logits != nil {
		p.Logits = get(c.logits)
	}
	for i, lp := range p.LogProb { // in float64, so that the sum adds no rounding
		if w := c.weights[i]; w != 0 {
			p.Loss -= w * lp / c.total
		}
	}
	if len(c.trained) > 0 {
		p.Grads = map[string][]float64{}
	}
	for _, q := range c.trained {
		p.Grads[q.Name()] = slices.Clone(q.Grad64())
		if q.Grad() != nil {
			p.Grads[q.Name()] = widened(q.Grad())
		}
		q.ZeroGrad()
	}
	return p, failed
}

// Farthest is the largest distance of two lists, and the largest magnitude of the
// second: what a tolerance is compared with. Lists of different lengths, and a
// NaN, are infinitely far apart.
func Farthest(got, want []float64) (distance, magnitude float64) {
	if len(got) != len(want) {
		return math.Inf(1), 0
	}
	for i := range want {
		d := math.Abs(got[i] - want[i])
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		distance, magnitude = max(distance, d), max(magnitude, math.Abs(want[i]))
	}
	return distance, magnitude
}

// Trainable makes all parameters of m trainable, or none.
func Trainable(m model.Model, on bool) error {
	for name, p := range m.Params() {
		if err := p.SetTrainable(on); err != nil {
			return fmt.Errorf("modeltest: %s: %w", name, err)
		}
	}
	return nil
}

// Norm is the Euclidean norm of x.
func Norm(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}

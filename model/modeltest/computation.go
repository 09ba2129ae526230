package modeltest

import (
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

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
	nodes                                           struct{ rows, targets, weights, seed, balanceSeed *tensor.Node }
	chosen, probs                                   tensor.Nodes // by the router of each mixture of experts
	layers                                          tensor.Nodes
	hidden, logits, loss, balance                   *tensor.Node
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
	virtual := c.addVirtual()
	next := make([]int32, len(rows)) // position that follows a row
	for i, row := range rows {
		before := int32(-1)
		if o.Prefix != nil {
			before = o.Prefix[i]
		}
		next[i] = int32(virtual)
		if before >= 0 {
			next[i] = next[before]
		}
		if virtual > 0 { // segment 0
			before++
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

// addVirtual puts the virtual tokens of the adapter, if it has some, before all
// rows and gives their number.
func (c *computation) addVirtual() int {
	n := model.VirtualTokens(c.model, c.o.Adapter)
	if n == 0 {
		return 0
	}
	c.tokens = model.VirtualIDs(nil, c.model, n)
	for i := range n {
		c.positions, c.index = append(c.positions, int32(i)), append(c.index, int32(i))
	}
	c.targets, c.weights = make([]int32, n), make([]float64, n)
	c.ends, c.prefix = []int32{int32(n)}, []int32{-1}
	c.pass.Starts[0] = n
	return n
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
		of, seeds := tensor.Nodes{c.loss}, tensor.Nodes{c.nodes.seed}
		if c.balance != nil {
			c.nodes.balanceSeed = tensor.Input(g, c.dtype, "balance seed", 1)
			of, seeds = append(of, c.balance), append(seeds, c.nodes.balanceSeed)
		}
		for i, parts := range tensor.Gradients(of, seeds, wrt) {
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
	if c.balance != nil {
		outs = append(outs, c.balance)
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
	if c.o.Balance != 0 {
		c.in.OnRoute = func(chosen, probs *tensor.Node) { c.chosen, c.probs = append(c.chosen, chosen), append(c.probs, probs) }
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
	if len(c.chosen) > 0 {
		c.balance = tensor.LoadBalance(c.chosen, c.probs)
	}
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
	if c.nodes.balanceSeed != nil {
		if err := c.bindFloats(c.nodes.balanceSeed, []float64{c.o.Balance}); err != nil {
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
	if c.balance != nil {
		if v := get(c.balance); len(v) == 1 {
			p.Balance = v[0]
		}
	}
	for i, lp := range p.LogProb { // in float64, so that the sum adds no rounding
		if w := c.weights[i]; w != 0 {
			p.Loss -= w * lp / c.total
		}
	}
	p.Grads = c.gradients()
	return p, failed
}

// gradients are copies of what the trained parameters have accumulated, which is
// cleared; nil if there are none.
func (c *computation) gradients() map[string][]float64 {
	if len(c.trained) == 0 {
		return nil
	}
	grads := map[string][]float64{}
	for _, q := range c.trained {
		grads[q.Name()] = slices.Clone(q.Grad64())
		if q.Grad() != nil {
			grads[q.Name()] = widened(q.Grad())
		}
		q.ZeroGrad()
	}
	return grads
}

package modeltest

import (
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// ScoreOptions say what ComputeScores computes.
type ScoreOptions struct {
	Adapter string // active adapter
	// Last scores the last token of each row instead of all tokens.
	Last bool
	// Upstream, if set, is given the scores and returns the derivative of a loss by
	// each; the gradients of all trainable parameters follow.
	Upstream func(scores []float64) []float64
}

// Scores is what a head computes for a packed batch, in float64 whatever the
// model computes in.
type Scores struct {
	Scores []float64 // (N,C), or (rows,C) with ScoreOptions.Last
	Grads  map[string][]float64
}

// ComputeScores runs a model and its head over rows of token ids, packed into one
// batch. It reads the gradients of parameters that are trainable, and clears them.
func ComputeScores(m model.Headed, rows [][]int32, o ScoreOptions) (*Scores, error) {
	c := newComputation(m, rows, PassOptions{Adapter: o.Adapter})
	if o.Upstream != nil {
		for _, p := range m.Params() {
			if p.Trainable() {
				c.trained = append(c.trained, p)
				p.ZeroGrad()
			}
		}
	}
	index := c.index
	if o.Last {
		index = model.Batch{Ends: c.ends}.LastRows(nil)
	}
	scores, seed, err := c.compileScores(m.Score, len(index))
	if err != nil {
		return nil, err
	}
	defer c.program.Close()
	for _, b := range []struct {
		node *tensor.Node
		data []int32
	}{{c.in.Tokens, c.tokens}, {c.in.Positions, c.positions}, {c.in.Ends, c.ends}, {c.in.Prefix, c.prefix}, {c.nodes.rows, index}} {
		if err := tensor.Bind(c.program, b.node, b.data); err != nil {
			return nil, err
		}
	}
	if o.Upstream == nil {
		return c.runScores(scores)
	}
	return c.runGradients(scores, seed, o.Upstream)
}

// compileScores builds the graph of a head over count rows and its gradients by
// the seed.
func (c *computation) compileScores(h *model.Head, count int) (scores, seed *tensor.Node, err error) {
	var accumulate []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		n, s := len(c.tokens), len(c.ends)
		c.in.Adapter = c.o.Adapter
		c.in.Tokens, c.in.Positions = tensor.Input(g, tensor.Int32, "tokens", n), tensor.Input(g, tensor.Int32, "positions", n)
		c.in.Ends, c.in.Prefix = tensor.Input(g, tensor.Int32, "ends", s), tensor.Input(g, tensor.Int32, "prefix", s)
		c.nodes.rows = tensor.Input(g, tensor.Int32, "rows", count)
		scores = h.Scores(&c.in, c.model.Hidden(g, &c.in), c.nodes.rows)
		if len(c.trained) == 0 {
			return
		}
		var wrt tensor.Nodes
		for _, p := range c.trained {
			wrt = append(wrt, p.Node(g))
		}
		seed = tensor.Input(g, c.dtype, "seed", count, h.Linear.Out())
		for i, parts := range tensor.Gradients(tensor.Nodes{scores}, tensor.Nodes{seed}, wrt) {
			for _, part := range parts {
				accumulate = append(accumulate, tensor.Accumulation{Grad: part, Into: c.trained[i]})
			}
		}
	})
	if err != nil {
		return nil, nil, err
	}
	c.program, err = tensor.Compile(g, tensor.Nodes{scores}, tensor.CompileOptions{Accumulate: accumulate})
	return scores, seed, err
}

func (c *computation) runScores(scores *tensor.Node) (*Scores, error) {
	if err := c.program.Run(); err != nil {
		return nil, err
	}
	values, err := c.values(scores)
	return &Scores{Scores: values}, err
}

// runGradients runs twice: the derivative by the scores is not known before they
// are.
func (c *computation) runGradients(scores, seed *tensor.Node, upstream func([]float64) []float64) (*Scores, error) {
	out := scores.Shape().TotalSize()
	if err := c.bindFloats(seed, make([]float64, out)); err != nil {
		return nil, err
	}
	s, err := c.runScores(scores)
	if err != nil {
		return nil, err
	}
	for _, p := range c.trained {
		p.ZeroGrad()
	}
	if err := c.bindFloats(seed, upstream(s.Scores)); err != nil {
		return nil, err
	}
	if err := c.program.Run(); err != nil {
		return nil, err
	}
	s.Grads = c.gradients()
	return s, nil
}

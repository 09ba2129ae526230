package soft

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/posttrain/posttrain/tensor"
)

// encoder makes what the model sees of the virtual tokens: rows of a table, by way
// of linear layers with an activation between them, if there are any.
type encoder struct {
	table  *tensor.Param // (tokens, width)
	layers []dense
	relu   bool // between layers; else tanh
}

// dense is a linear layer with a bias.
type dense struct{ weight, bias *tensor.Param }

// Names of the parameters, as PEFT has them in the module prompt_encoder.
const (
	tableName = "prompt_encoder.embedding.weight"
	denseName = "prompt_encoder.%s.%d." // transform or mlp_head, and the place in its list
)

// newEncoder makes an encoder with zero values, in float64 beside such weights.
func newEncoder(c Config, width, result int, double bool) (*encoder, error) {
	if !c.encodes() {
		return newTable(c.Tokens, result, double)
	}
	e, err := newTable(c.Tokens, width, double)
	if err != nil {
		return nil, err
	}
	e.relu = c.Kind == PTuning
	list, widths := "transform", []int{width, c.Width, result}
	if e.relu {
		list, widths = "mlp_head", []int{width, c.Width, c.Width, result}
	}
	for i, out := range widths[1:] {
		name := fmt.Sprintf(denseName, list, 2*i) // activations are counted too
		var d dense
		if d.weight, err = newParam(name+"weight", double, out, widths[i]); err != nil {
			return nil, err
		}
		if d.bias, err = newParam(name+"bias", double, out); err != nil {
			return nil, err
		}
		e.layers = append(e.layers, d)
	}
	return e, nil
}

// newTable makes an encoder without layers.
func newTable(tokens, width int, double bool) (*encoder, error) {
	table, err := newParam(tableName, double, tokens, width)
	return &encoder{table: table}, err
}

func newParam(name string, double bool, shape ...int) (*tensor.Param, error) {
	n := 1
	for _, s := range shape {
		n *= s
	}
	if double {
		return tensor.NewParam(name, make([]float64, n), shape...)
	}
	return tensor.NewParam(name, make([]float32, n), shape...)
}

// params lists the parameters in a stable order.
func (e *encoder) params() []*tensor.Param {
	list := []*tensor.Param{e.table}
	for _, d := range e.layers {
		list = append(list, d.weight, d.bias)
	}
	return list
}

// result is what the encoder makes, (tokens, width of the result).
func (e *encoder) result(g *tensor.Graph) *tensor.Node {
	x := e.table.Node(g)
	for i, d := range e.layers {
		switch {
		case i == 0:
		case e.relu:
			x = tensor.Activate(x, tensor.ReLU)
		default:
			x = tensor.Tanh(x)
		}
		x = tensor.Linear(x, d.weight.Node(g), d.bias.Node(g))
	}
	return x
}

// initialise draws the values as torch does: the table from N(0, 1), layers from
// U(−1/√in, 1/√in). Values depend on the seed and the parameter's name only.
func (e *encoder) initialise(c Config) error {
	if err := e.table.Set(draw(e.table, c.Seed, (*rand.Rand).NormFloat64)); err != nil {
		return err
	}
	for _, d := range e.layers {
		bound := 1 / math.Sqrt(float64(d.weight.Shape()[1]))
		uniform := func(r *rand.Rand) float64 { return bound * (2*r.Float64() - 1) }
		for _, p := range []*tensor.Param{d.weight, d.bias} {
			if err := p.Set(draw(p, c.Seed, uniform)); err != nil {
				return err
			}
		}
	}
	if !c.Zero {
		return nil
	}
	last := []*tensor.Param{e.table}
	if n := len(e.layers); n > 0 {
		last = []*tensor.Param{e.layers[n-1].weight, e.layers[n-1].bias}
	}
	for _, p := range last {
		if err := p.Set(make([]float64, p.Len())); err != nil {
			return err
		}
	}
	return nil
}

func draw(p *tensor.Param, seed uint64, next func(*rand.Rand) float64) []float64 {
	h := fnv.New64a()
	h.Write([]byte(p.Name()))
	r := rand.New(rand.NewPCG(seed, h.Sum64()))
	x := make([]float64, p.Len())
	for i := range x {
		x[i] = next(r)
	}
	return x
}

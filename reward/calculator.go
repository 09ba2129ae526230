package reward

import (
	"fmt"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
)

// Calculator computes a loss and its gradient for given outputs of a head,
// without a model: for tests of losses and for reward models of one's own. It is
// not safe for concurrent use.
type Calculator struct {
	loss     Loss
	inputs   inputs
	outputs  *tensor.Param // (R,C) at capacity
	items    *tensor.Node  // (B) or (R)
	seed     number
	run      *tensor.Program
	columns  int
	values   []float64
	gradient []float64
}

// NewCalculator prepares the loss of micro-batches of at most that size, for a
// head of one or two columns, in float32 or float64.
func NewCalculator(l Loss, c Capacity, columns int, dt tensor.Dtype) (*Calculator, error) {
	if columns != 1 && columns != 2 {
		return nil, fmt.Errorf("reward: NewCalculator: got %d columns, want 1 or 2", columns)
	}
	c = c.withDefaults(Capacity{}, l.Traits().ScoreAt)
	x := &Calculator{loss: l, columns: columns}
	var err error
	if x.outputs, err = outputsOf(dt, c.Rows, columns); err != nil {
		return nil, err
	}
	var o tensor.CompileOptions
	g, err := tensor.Build(func(g *tensor.Graph) {
		rows := x.inputs.rows(g, c)
		sees := floats{&x.inputs, dt}.targets(g, c)
		sees.Outputs = tensor.Gather(x.outputs.Node(g), rows)
		sees.Row = Contrast(sees.Outputs, contrast(columns))
		sees.Answer = tensor.Gather(sees.Row, sees.Last)
		x.items = l.Build(g, sees).Loss
		x.seed.node = tensor.Input(g, dt, "batch.seed", 1)
		total := tensor.Sum(x.items)
		for _, part := range tensor.Gradients(tensor.Nodes{total}, tensor.Nodes{x.seed.node}, tensor.Nodes{x.outputs.Node(g)})[0] {
			o.Accumulate = append(o.Accumulate, tensor.Accumulation{Grad: part, Into: x.outputs})
		}
	})
	if err != nil {
		return nil, err
	}
	o.Axes = x.inputs.axes
	x.run, err = tensor.Compile(g, tensor.Nodes{x.items}, o)
	return x, err
}

// outputsOf is a parameter that takes the place of a head's outputs.
func outputsOf(dt tensor.Dtype, rows, columns int) (p *tensor.Param, err error) {
	if dt == tensor.Float64 {
		p, err = tensor.NewParam("outputs", make([]float64, rows*columns), rows, columns)
	} else {
		p, err = tensor.NewParam("outputs", make([]float32, rows*columns), rows, columns)
	}
	if err != nil {
		return nil, err
	}
	return p, p.SetTrainable(true)
}

// contrast are the weights of a head's columns in a score: of two classes it is
// the log-odds of the second.
func contrast(columns int) []float64 {
	if columns == 2 {
		return []float64{-1, 1}
	}
	return []float64{1}
}

// At returns the loss of each group, or of each scored token (Traits.PerRow), and
// the gradient of their sum by the outputs of each scored token, row by row. The
// slices are valid until the next call.
func (x *Calculator) At(b *Batch, outputs []float64) (values, gradient []float64, err error) {
	if len(outputs) != len(b.Rows)*x.columns {
		return nil, nil, fmt.Errorf("reward: Calculator: got %d outputs, want %d for %d scored tokens", len(outputs), len(b.Rows)*x.columns, len(b.Rows))
	}
	flat := *b
	flat.Rows = nil // here the outputs are the rows
	for i := range b.Rows {
		flat.Rows = append(flat.Rows, int32(i))
	}
	full := make([]float64, x.outputs.Len())
	if copy(full, outputs) < len(outputs) {
		return nil, nil, fmt.Errorf("reward: Calculator: got %d outputs, want at most %d", len(outputs), len(full))
	}
	if err := x.outputs.Set(full); err != nil {
		return nil, nil, err
	}
	clear(x.outputs.Grad())
	clear(x.outputs.Grad64())
	if err := x.inputs.bind(x.run, &flat); err != nil {
		return nil, nil, err
	}
	if err := x.seed.bind(x.run, []float64{1}); err != nil {
		return nil, nil, err
	}
	if err := x.run.Run(); err != nil {
		return nil, nil, err
	}
	x.gradient = append(x.gradient[:0], x.outputs.Grad64()...)
	for _, v := range x.outputs.Grad() {
		x.gradient = append(x.gradient, float64(v))
	}
	x.values, err = policy.AppendValues(x.values[:0], x.run, x.items)
	return x.values, x.gradient[:len(outputs)], err
}

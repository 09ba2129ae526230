package bed

import (
	"maps"
	"slices"

	"github.com/posttrain/posttrain/tensor"
)

// Problem is a loss as a function of a vector of weights, in float64.
type Problem struct {
	Weights []float64            // at the start
	Floats  map[string][]float64 // inputs by name
	Ints    map[string][]int32
	// Build makes the loss, (1), and what is to be watched of it.
	Build func(in map[string]*tensor.Node, w *tensor.Node) (loss, watch *tensor.Node)
	Rate  float64 // of gradient descent
	Steps int
}

// Minimise descends and returns what is watched at the end, and the gradient there.
func (p Problem) Minimise() (watched, gradient []float64, err error) {
	w, err := tensor.NewParam("bed.weights", slices.Clone(p.Weights), len(p.Weights))
	if err != nil {
		return nil, nil, err
	}
	if err := w.SetTrainable(true); err != nil {
		return nil, nil, err
	}
	run, watch, err := p.compile(w)
	if err != nil {
		return nil, nil, err
	}
	for range p.Steps {
		clear(w.Grad64())
		if err := run.Run(); err != nil {
			return nil, nil, err
		}
		for i, g := range w.Grad64() {
			w.Data64()[i] -= p.Rate * g
		}
		w.Changed()
	}
	clear(w.Grad64())
	if err := run.Run(); err != nil {
		return nil, nil, err
	}
	v, err := tensor.Values[float64](run, watch)
	return slices.Clone(v), w.Grad64(), err
}

// compile builds the program and binds its inputs.
func (p Problem) compile(w *tensor.Param) (run *tensor.Program, watch *tensor.Node, err error) {
	in := map[string]*tensor.Node{}
	var loss, seed *tensor.Node
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		for _, name := range slices.Sorted(maps.Keys(p.Floats)) {
			in[name] = tensor.Input(g, tensor.Float64, name, len(p.Floats[name]))
		}
		for _, name := range slices.Sorted(maps.Keys(p.Ints)) {
			in[name] = tensor.Input(g, tensor.Int32, name, len(p.Ints[name]))
		}
		seed = tensor.Input(g, tensor.Float64, "bed.seed", 1)
		loss, watch = p.Build(in, w.Node(g))
		for _, part := range tensor.Gradients(tensor.Nodes{loss}, tensor.Nodes{seed}, tensor.Nodes{w.Node(g)})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: w})
		}
	})
	if err != nil {
		return nil, nil, err
	}
	if run, err = tensor.Compile(g, tensor.Nodes{loss, watch}, tensor.CompileOptions{Accumulate: acc}); err != nil {
		return nil, nil, err
	}
	for name, v := range p.Floats {
		if err := tensor.Bind(run, in[name], v); err != nil {
			return nil, nil, err
		}
	}
	for name, v := range p.Ints {
		if err := tensor.Bind(run, in[name], v); err != nil {
			return nil, nil, err
		}
	}
	return run, watch, tensor.Bind(run, seed, []float64{1})
}

package tensor_test

import (
	"fmt"

	"github.com/posttrain/posttrain/tensor"
	"gorgonia.org/gorgonia"
)

// A graph is described, differentiated, compiled once and run often. Here a
// parameter learns to be three times the input; the loss is Gorgonia's ops.
func Example() {
	w, err := tensor.NewParam("w", []float32{0.5}, 1, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := w.SetTrainable(true); err != nil {
		fmt.Println(err)
		return
	}
	var x, want, seed, loss *tensor.Node
	var gradients []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		x, want = tensor.Input(g, tensor.Float32, "x", 4, 1), tensor.Input(g, tensor.Float32, "want", 4, 1)
		seed = tensor.Input(g, tensor.Float32, "seed") // 1/denominator in a trainer
		miss := gorgonia.Must(gorgonia.Sub(tensor.Linear(x, w.Node(g), nil), want))
		loss = gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(miss))))
		for _, part := range tensor.Gradients(tensor.Nodes{loss}, tensor.Nodes{seed}, tensor.Nodes{w.Node(g)})[0] {
			gradients = append(gradients, tensor.Accumulation{Grad: part, Into: w})
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := tensor.Compile(g, tensor.Nodes{loss}, tensor.CompileOptions{Accumulate: gradients})
	if err != nil {
		fmt.Println(err)
		return
	}
	for n, data := range map[*tensor.Node][]float32{x: {1, 2, 3, 4}, want: {3, 6, 9, 12}, seed: {1}} {
		if err := tensor.Bind(p, n, data); err != nil {
			fmt.Println(err)
			return
		}
	}
	for step := range 20 {
		w.ZeroGrad()
		if err := p.Run(); err != nil {
			fmt.Println(err)
			return
		}
		if value, err := tensor.Values[float32](p, loss); err == nil && step%6 == 0 {
			fmt.Printf("step %2d: loss %.2f\n", step, value[0])
		}
		w.Data()[0] -= 0.02 * w.Grad()[0]
		w.Changed()
	}
	fmt.Printf("w = %.3f\n", w.Data()[0])
	// Output:
	// step  0: loss 46.88
	// step  6: loss 0.65
	// step 12: loss 0.01
	// step 18: loss 0.00
	// w = 2.998
}

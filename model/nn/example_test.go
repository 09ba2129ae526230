package nn_test

import (
	"fmt"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// A block is a struct of parameters with a Forward method. Here a linear layer
// with an adapter runs over two packed tokens, without and with the adapter.
func ExampleLinear() {
	param := func(name string, data []float32, shape ...int) *tensor.Param {
		p, err := tensor.NewParam(name, data, shape...)
		if err != nil {
			panic(err)
		}
		return p
	}
	layer := &nn.Linear{
		Path:   "proj",
		Weight: param("proj.weight", []float32{1, 0, 0, 1, 1, 1}, 3, 2),
		Adapters: map[string]nn.Adapter{
			"tuned": &nn.LowRank{A: param("proj.a", []float32{1, -1}, 1, 2), B: param("proj.b", []float32{1, 2, 0}, 3, 1), Scale: 0.5},
		},
	}
	for _, adapter := range []string{"", "tuned"} {
		var x, y *tensor.Node
		g, err := tensor.Build(func(g *tensor.Graph) {
			x = tensor.Input(g, tensor.Float32, "x", 2, 2)
			y = layer.Forward(&nn.Inputs{Adapter: adapter}, x)
		})
		if err != nil {
			panic(err)
		}
		p, err := tensor.Compile(g, tensor.Nodes{y}, tensor.CompileOptions{})
		if err != nil {
			panic(err)
		}
		if err := tensor.Bind(p, x, []float32{3, 1, 0, 2}); err != nil {
			panic(err)
		}
		if err := p.Run(); err != nil {
			panic(err)
		}
		values, err := tensor.Values[float32](p, y)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%q %v\n", adapter, values)
		p.Close()
	}
	// Output:
	// "" [3 1 4 0 2 2]
	// "tuned" [4 3 4 -1 0 2]
}

package rlhf_test

import (
	"fmt"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/tensor"
)

// Two completions of two tokens and of one: the first was better than the second.
func ExampleObjective() {
	logProb, _ := tensor.NewParam("log_prob", []float64{-1, -2, -0.5}, 3)
	_ = logProb.SetTrainable(true)
	objective := rlhf.Objective{Policy: rlhf.GRPO{}}

	var in rlhf.Tokens
	var seed *tensor.Node
	var acc []tensor.Accumulation
	g, _ := tensor.Build(func(g *tensor.Graph) {
		in = rlhf.Tokens{
			LogProb:   logProb.Node(g), // a model's, as a rule
			Advantage: tensor.Input(g, tensor.Float64, "advantage", 3),
			Mask:      tensor.Input(g, tensor.Float64, "mask", 3),
			Ends:      tensor.Input(g, tensor.Int32, "ends", 2),
			Row:       tensor.Input(g, tensor.Int32, "row", 3),
			Lengths:   tensor.Input(g, tensor.Float64, "lengths", 2),
		}
		seed = tensor.Input(g, tensor.Float64, "seed", 1)
		loss := tensor.Sum(objective.Build(g, in).Loss)
		for _, part := range tensor.Gradients(tensor.Nodes{loss}, tensor.Nodes{seed}, tensor.Nodes{in.LogProb})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: logProb})
		}
	})
	run, _ := tensor.Compile(g, nil, tensor.CompileOptions{Accumulate: acc})
	_ = tensor.Bind(run, in.Advantage, []float64{1, 1, -1})
	_ = tensor.Bind(run, in.Mask, []float64{1, 1, 1})
	_ = tensor.Bind(run, in.Ends, []int32{2, 3})
	_ = tensor.Bind(run, in.Row, []int32{0, 0, 1})
	_ = tensor.Bind(run, in.Lengths, []float64{2, 1})
	_ = tensor.Bind(run, seed, []float64{1. / 2}) // two rows
	_ = run.Run()
	fmt.Println(logProb.Grad64())
	// Output: [-0.25 -0.25 0.5]
}

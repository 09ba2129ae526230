package modeltest_test

import (
	"fmt"

	"github.com/posttrain/posttrain/model/llama"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
)

// A tiny model of any family, run over two rows that are packed into one batch.
// A family's own test calls Run instead.
func ExampleCompute() {
	m, err := modeltest.Tiny(llama.Families()[0], `{"model_type": "llama", "vocab_size": 20, "hidden_size": 8, "intermediate_size": 12,
		"num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32}`, 1, tensor.Float64)
	if err != nil {
		panic(err)
	}
	rows := [][]int32{{3, 1, 4, 1, 5}, {9, 2, 6}}
	p, err := modeltest.Compute(m, rows, modeltest.PassOptions{Layers: true})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(p.Layers), "states of", len(p.Hidden)/p.Starts[len(rows)], "features")
	fmt.Println(len(p.Row(p.LogProb, 1)), "log-probabilities of row 1")
	// Output:
	// 3 states of 8 features
	// 3 log-probabilities of row 1
}

package generate_test

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
)

func Example() {
	// A random model stands for auto.Open("path/to/checkpoint", auto.Options{}).
	config, family, err := auto.ParseConfig([]byte(`{"model_type": "llama", "vocab_size": 50, "hidden_size": 16,
		"intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}`))
	if err != nil {
		panic(err)
	}
	m, err := family.New(config, model.NewLoader(config, model.Random{Seed: 1}, model.LoadOptions{}))
	if err != nil {
		panic(err)
	}
	g, err := generate.New(m, generate.Config{Context: 64}) // with Decode: generate.Text(tok.NewStream) for text
	if err != nil {
		panic(err)
	}
	defer g.Close()
	made := 0
	for token, err := range g.Stream(context.Background(), []int32{1, 2, 3}, generate.Options{MaxTokens: 5, Temperature: 0.8, TopP: 0.95, Seed: 7}) {
		if err != nil {
			panic(err)
		}
		made++
		if token.Finish != "" {
			fmt.Println(made, "tokens, finished by", token.Finish)
		}
	}
	// Output: 5 tokens, finished by length
}

package model_test

import (
	"fmt"
	"log"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/modeltest"
)

// A fresh classifier of texts on top of a language model.
func ExampleNewHead() {
	m, err := auto.New([]byte(`{"model_type": "llama", "vocab_size": 32, "hidden_size": 16, "intermediate_size": 24,
		"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}`), model.Random{Seed: 1}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	h, err := model.NewHead(m, model.SequenceClassification, []string{"bad", "good"}, 1)
	if err != nil {
		log.Fatal(err)
	}
	for name, p := range h.Params() {
		fmt.Println(name, p.Shape())
	}
	s, err := modeltest.ComputeScores(model.Headed{Model: m, Score: h}, [][]int32{{1, 2, 3}, {4, 5}}, modeltest.ScoreOptions{Last: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(s.Scores)/len(h.Labels), "texts,", len(h.Labels), "scores each")
	// Output:
	// score.weight [2 16]
	// 2 texts, 2 scores each
}

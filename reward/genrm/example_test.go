package genrm_test

import (
	"context"
	"fmt"
	"log"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/genrm"
)

// A language model is asked whether answers are right. With a checkpoint, auto.Open
// gives model and tokenizer; this one has learnt nothing.
func Example() {
	m, err := auto.New([]byte(tiny), model.Random{Seed: 1}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	v, err := genrm.New(genrm.Options{Model: m, Encoder: letters{}, Share: true})
	if err != nil {
		log.Fatal(err)
	}
	p, err := v.Verify(context.Background(), reward.Sample{Prompt: "2+3=", Completion: "5"})
	fmt.Println(v.Name(), p >= 0 && p <= 1, err)
	// Output:
	// genrm true <nil>
}

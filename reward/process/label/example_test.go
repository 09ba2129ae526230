package label_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/posttrain/posttrain/reward/process"
	"github.com/posttrain/posttrain/reward/process/label"
)

// A solution of four sums goes wrong at the third. With a language model the Sampler
// is NewSampler's.
func Example() {
	policy := chain{rand.New(rand.NewPCG(1, 2)), 0.9}
	r, err := label.New(policy, total, label.Options{})
	if err != nil {
		log.Fatal(err)
	}
	t := label.Task{Solution: process.Solution{Prompt: "3 4 2 1", Steps: []string{"3", "7", "10", "11"}}, Reference: "10"}
	ctx := context.Background()
	soft, cost, err := r.Row(ctx, t, label.Soft)
	fmt.Println(soft.Labels[0] > 0.5, soft.Labels[1] > 0.5, soft.Labels[2:], cost, err)
	f, err := r.FirstError(ctx, t)
	fmt.Println("first mistake:", t.Steps[f.Step], f.Cost, err)
	// Output:
	// true true [0 0] {24 3} <nil>
	// first mistake: 10 {16 2} <nil>
}

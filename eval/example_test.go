package eval_test

import (
	"fmt"

	"github.com/posttrain/posttrain/eval"
)

// Example compares two measurements. In a program they come from the Measure
// methods of ExactMatch and Perplexity, before and after training.
func Example() {
	before := &eval.Measurement{Name: "exact_match", Kind: eval.KindShare}
	after := &eval.Measurement{Name: "exact_match", Kind: eval.KindShare}
	for i := range 100 {
		right := 0.0
		if i%10 == 0 {
			right = 1
		}
		before.Num, before.Den = append(before.Num, right), append(before.Den, 1)
		if i%4 == 0 {
			right = 1
		}
		after.Num, after.Den = append(after.Num, right), append(after.Den, 1)
	}
	change, err := eval.Compare(before, after, eval.Bootstrap{Seed: 1})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.2f [%.2f, %.2f] -> %.2f [%.2f, %.2f], p %.2g\n",
		change.Before.Value, change.Before.Low, change.Before.High, change.After.Value, change.After.Low, change.After.High, change.P)
	// Output: 0.10 [0.06, 0.17] -> 0.30 [0.22, 0.40], p 1.9e-06
}

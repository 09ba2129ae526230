package advantage_test

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/rlhf/advantage"
)

// Two prompts with two answers each; one answer could not be scored.
func Example() {
	rewards := []float64{1, 0, 1, math.NaN()}
	prompts := []int{7, 7, 9, 9}
	fmt.Printf("%.4f\n", advantage.Group(rewards, prompts, advantage.GroupOptions{}).Advantages)
	fmt.Println(advantage.LeaveOneOut(rewards, prompts, false))
	// Output:
	// [0.7070 -0.7070 0.0000 0.0000]
	// [1 -1 0 0]
}

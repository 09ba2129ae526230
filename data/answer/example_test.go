package answer_test

import (
	"fmt"

	"github.com/posttrain/posttrain/data/answer"
)

func Example() {
	solution := "She sells 16 - 3 - 4 = 9 eggs and makes 9 * 2 = $18.\nA: $18"
	got, ok := answer.GSM8K(solution)
	fmt.Println(got, ok, answer.Equal(got, "18"))
	// Output: $18 true true
}

func ExampleMath() {
	same, err := answer.Math(`\frac{\sqrt{2}}{2}`, `so the length is \boxed{1/\sqrt2}`)
	fmt.Println(same, err)
	// Output: true <nil>
}

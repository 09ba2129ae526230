package problems

import (
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
)

// heldOutSums is the number of sums of the exam.
const heldOutSums = 200

// Rows are those that flags name; without -model and -data sums of two numbers
// from 10 to 99 whose last digits add up to less than 10, of which a tenth is held
// out. The embedded model gets about a fifth of them right; those with a carry, of
// which it knows half, would make the task too easy.
//
// The split is not that of package tiny, whose held-out sums all have two numbers
// with the same last digit: a model that learns from its own answers alone never
// meets such a pair, and cannot be expected to add it up.
func Rows(f *cli.Flags) (training, held []data.Row, err error) {
	if f.Model != "" || f.Data != "" {
		return f.Rows()
	}
	for a := 10; a < 100; a++ {
		for b := 10; b < 100; b++ {
			if a%10+b%10 >= 10 {
				continue
			}
			row := data.Row{Shape: data.ShapePromptCompletion, Prompt: fmt.Sprintf("%d+%d=", a, b), Completion: fmt.Sprint(a + b),
				At: data.Place{File: "sums", Line: 100*a + b}}
			if hash := uint32(100*a+b) * 2654435761; hash>>16%10 == 0 {
				held = append(held, row)
			} else {
				training = append(training, row)
			}
		}
	}
	every := len(held) / heldOutSums
	for i := range heldOutSums {
		held[i] = held[i*every]
	}
	return limit(training, f.Limit), limit(held[:heldOutSums], f.EvalLimit), nil
}

func limit(rows []data.Row, n int) []data.Row {
	if n > 0 && n < len(rows) {
		return rows[:n]
	}
	return rows
}

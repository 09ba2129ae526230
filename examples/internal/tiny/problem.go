package tiny

import (
	"fmt"
	"math/rand/v2"

	"github.com/posttrain/posttrain/data"
)

// Numbers of rows that Rows returns.
const (
	TrainingRows   = 4000
	EvaluationRows = 200
)

// Rows returns sums of two numbers from 10 to 99 as prompt and completion, such
// as "47+38=" and "85". No pair of numbers is in both parts. Order and choice
// are always the same.
func Rows() (training, evaluation []data.Row) {
	return Sums(TrainingRows, false, 7), Sums(EvaluationRows, true, 11)
}

// Sums draws n problems: those that are held out, or the others.
func Sums(n int, heldOut bool, seed uint64) []data.Row {
	r := rand.New(rand.NewPCG(seed, 0))
	rows := make([]data.Row, 0, n)
	for len(rows) < n {
		a, b := 10+r.IntN(90), 10+r.IntN(90)
		if isHeldOut(a, b) != heldOut {
			continue
		}
		rows = append(rows, data.Row{
			Shape: data.ShapePromptCompletion, Prompt: fmt.Sprintf("%d+%d=", a, b), Completion: fmt.Sprint(a + b),
			At: data.Place{File: "embedded sums", Line: len(rows) + 1},
		})
	}
	return rows
}

// isHeldOut keeps a tenth of all pairs out of every training set, spread evenly.
func isHeldOut(a, b int) bool { return (7*a+13*b)%10 == 0 }

// WithoutCarry returns all sums of two numbers from 10 to 99 whose last digits add up
// to less than 10, of which a tenth, spread at random, is held out, and 200 of those
// returned. The model gets about a fifth of them right; those with a carry, of which it
// knows half, would make learning from a verifier too easy.
//
// The split is not that of Rows, whose held-out sums all have two numbers with the same
// last digit: a model that learns from its own answers alone never
// meets such a pair, and cannot be expected to add it up.
func WithoutCarry() (training, evaluation []data.Row) {
	for a := 10; a < 100; a++ {
		for b := 10; b < 100; b++ {
			if a%10+b%10 >= 10 {
				continue
			}
			row := data.Row{Shape: data.ShapePromptCompletion, Prompt: fmt.Sprintf("%d+%d=", a, b), Completion: fmt.Sprint(a + b),
				At: data.Place{File: "sums", Line: 100*a + b}}
			if hash := uint32(100*a+b) * 2654435761; hash>>16%10 == 0 {
				evaluation = append(evaluation, row)
			} else {
				training = append(training, row)
			}
		}
	}
	every := len(evaluation) / EvaluationRows
	for i := range EvaluationRows {
		evaluation[i] = evaluation[i*every]
	}
	return training, evaluation[:EvaluationRows]
}

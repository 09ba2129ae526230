package stages

import (
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
)

// heldOutSums is the number of sums of the exam, before -eval-limit.
const heldOutSums = 200

// Problems are those that flags name; without -model and -data sums of two numbers
// from 10 to 99, in no order, of which a tenth is held out.
func Problems(f *cli.Flags) (training, held []data.Row, err error) {
	if f.Model != "" || f.Data != "" {
		return f.Rows()
	}
	for i := range 90 * 90 {
		a, b := 10+i*2311%8100/90, 10+i*2311%8100%90 // all pairs, in no order
		row := data.Row{Shape: data.ShapePromptCompletion, Prompt: fmt.Sprintf("%d+%d=", a, b), Completion: fmt.Sprint(a + b), At: data.Place{File: "sums", Line: i + 1}}
		if hash := uint32(100*a+b) * 2654435761; hash>>16%10 == 0 {
			held = append(held, row)
		} else {
			training = append(training, row)
		}
	}
	return limit(training, f.Limit), limit(held[:heldOutSums], f.EvalLimit), nil
}

func limit(rows []data.Row, n int) []data.Row {
	if n > 0 && n < len(rows) {
		return rows[:n]
	}
	return rows
}

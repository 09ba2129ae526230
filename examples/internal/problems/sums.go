package problems

import (
	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/tiny"
)

// Rows are those that flags name; without -model and -data sums without a carry
// (tiny.WithoutCarry).
func Rows(f *cli.Flags) (training, held []data.Row, err error) {
	if f.Model != "" || f.Data != "" {
		return f.Rows()
	}
	training, held = tiny.WithoutCarry()
	return cli.Limit(training, f.Limit), cli.Limit(held, f.EvalLimit), nil
}

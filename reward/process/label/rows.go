package label

import (
	"context"
	"iter"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/reward/process"
)

// Kind says how steps are labelled.
type Kind uint8

// The kinds of labels.
const (
	Soft   Kind = iota // the share of rollouts that were right
	Hard               // 1 if any was right
	Search             // 1 before the first mistake, 0 at it; later steps are left out
)

// Row labels one task.
func (r *Rater) Row(ctx context.Context, t Task, k Kind) (process.Row, Cost, error) {
	row := process.Row{At: t.At, Prompt: t.Prompt, Steps: t.Steps}
	if k == Search {
		f, err := r.FirstError(ctx, t)
		if err != nil {
			return row, f.Cost, err
		}
		row.Steps = t.Steps[:min(f.Step+1, len(t.Steps))]
		for i := range row.Steps {
			y := 1.0
			if i == f.Step {
				y = 0
			}
			row.Labels = append(row.Labels, y)
		}
		return row, f.Cost, nil
	}
	estimates, cost, err := r.Rate(ctx, t)
	for _, e := range estimates {
		if k == Hard {
			row.Labels = append(row.Labels, e.Hard())
		} else {
			row.Labels = append(row.Labels, e.Soft())
		}
	}
	return row, cost, err
}

// Rows labels tasks as process.Prepare reads them, and adds to cost, unless it is nil,
// what it took. Rollouts are made anew each time the rows are read.
func (r *Rater) Rows(ctx context.Context, tasks data.Source[Task], k Kind, cost *Cost) data.Source[process.Row] {
	return data.SourceFunc[process.Row](func() iter.Seq2[process.Row, error] {
		return func(yield func(process.Row, error) bool) {
			for t, err := range tasks.All() {
				var row process.Row
				var c Cost
				if err == nil {
					row, c, err = r.Row(ctx, t, k)
				}
				if cost != nil {
					cost.Add(c)
				}
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	})
}

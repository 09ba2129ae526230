package genrm

import (
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/reward"
)

// Judged is an answer with a verdict to learn.
type Judged struct {
	reward.Sample
	Right     bool
	Rationale string // why; "" asks for the verdict at once
	At        data.Place
}

// Rows makes examples of judged answers: the prompt asks, the completion is the
// rationale, where there is one, and the verdict. Trained by package sft the loss is
//
//	L = −log p(rationale, verdict | prompt, answer, question)
//
// in nats a token. As many right as wrong answers are best; examples of solutions to
// write beside them, which the paper mixes in, are rows of their own.
func Rows(src data.Source[Judged], f Form) data.Source[data.Row] {
	f = f.withDefaults()
	return data.SourceFunc[data.Row](func() iter.Seq2[data.Row, error] {
		return func(yield func(data.Row, error) bool) {
			for j, err := range src.All() {
				var row data.Row
				if err == nil {
					row, err = f.row(j)
				}
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	})
}

// row is one example.
func (f Form) row(j Judged) (data.Row, error) {
	verdict := f.No
	if j.Right {
		verdict = f.Yes
	}
	row := data.Row{Shape: data.ShapePromptCompletion, At: j.At, Prompt: f.direct(j.Sample), Completion: verdict}
	if j.Rationale == "" {
		return row, nil
	}
	if err := f.check(j.Rationale); err != nil {
		return row, fmt.Errorf("genrm: %v: rationale %w", j.At, err)
	}
	row.Prompt, row.Completion = f.begin(j.Sample), j.Rationale+f.Verdict+f.Question+verdict
	return row, nil
}

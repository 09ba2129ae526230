package reward

import (
	"iter"

	"github.com/posttrain/posttrain/data"
)

// Row is a prompt with answers as text. Without labels the best answer comes
// first; with labels order does not matter.
type Row struct {
	At data.Place
	// Answers are prompts with completions; all have the same prompt.
	Answers []data.Row
	Labels  []float64 // one an answer, or nil
	Margin  float64   // see Group
}

// Pairs makes rows of comparisons.
func Pairs(src data.Source[data.PairRow]) data.Source[Row] {
	return convert(src, func(p data.PairRow) Row {
		chosen, rejected := p.Answers()
		return Row{At: p.At, Answers: []data.Row{chosen, rejected}, Margin: p.Margin}
	})
}

// Judged makes rows of answers that were judged on their own: label 1 for a good
// one, 0 for a bad one.
func Judged(src data.Source[data.LabelledRow]) data.Source[Row] {
	return convert(src, func(p data.LabelledRow) Row {
		label := 0.0
		if p.Label {
			label = 1
		}
		return Row{At: p.At, Answers: []data.Row{p.Answer()}, Labels: []float64{label}}
	})
}

// Graded makes rows of answers with scores, or of rankings.
func Graded(src data.Source[data.GradedRow]) data.Source[Row] {
	return convert(src, func(p data.GradedRow) Row { return Row{At: p.At, Answers: p.Answers(), Labels: p.Scores} })
}

// convert makes rows of those of another kind.
func convert[T any](src data.Source[T], row func(T) Row) data.Source[Row] {
	return data.SourceFunc[Row](func() iter.Seq2[Row, error] {
		return func(yield func(Row, error) bool) {
			for p, err := range src.All() {
				var r Row
				if err == nil {
					r = row(p)
				}
				if !yield(r, err) {
					return
				}
			}
		}
	})
}

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
	return data.SourceFunc[Row](func() iter.Seq2[Row, error] {
		return func(yield func(Row, error) bool) {
			for p, err := range src.All() {
				var r Row
				if err == nil {
					chosen, rejected := p.Answers()
					r = Row{At: p.At, Answers: []data.Row{chosen, rejected}, Margin: p.Margin}
				}
				if !yield(r, err) {
					return
				}
			}
		}
	})
}

// Judged makes rows of answers that were judged on their own: label 1 for a good
// one, 0 for a bad one.
func Judged(src data.Source[data.LabelledRow]) data.Source[Row] {
	return data.SourceFunc[Row](func() iter.Seq2[Row, error] {
		return func(yield func(Row, error) bool) {
			for p, err := range src.All() {
				var r Row
				if err == nil {
					r = Row{At: p.At, Answers: []data.Row{p.Answer()}, Labels: []float64{0}}
					if p.Label {
						r.Labels[0] = 1
					}
				}
				if !yield(r, err) {
					return
				}
			}
		}
	})
}

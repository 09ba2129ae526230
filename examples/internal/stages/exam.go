package stages

import (
	"context"

	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/train"
)

// Exam calls the share of right answers accuracy.
type Exam struct{ *eval.ExactMatch }

// Evaluate implements train.Evaluator.
func (e Exam) Evaluate(ctx context.Context, m *train.Metrics) error {
	if err := e.ExactMatch.Evaluate(ctx, m); err != nil {
		return err
	}
	for _, bound := range []string{"", "_low", "_high"} {
		if v, ok := m.Value("exact_match" + bound); ok {
			m.Set("accuracy"+bound, v)
		}
	}
	return nil
}

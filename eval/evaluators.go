package eval

import (
	"context"

	"github.com/posttrain/posttrain/train"
)

// All is an evaluator that runs others in order.
func All(evaluators ...train.Evaluator) train.Evaluator { return all(evaluators) }

type all []train.Evaluator

// Evaluate runs each; the first error ends it.
func (a all) Evaluate(ctx context.Context, m *train.Metrics) error {
	for _, e := range a {
		if err := e.Evaluate(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// record keeps the first and the latest result of a run's evaluations.
type record[T any] struct{ results []T }

func (r *record[T]) keep(x T) {
	if len(r.results) == 2 {
		r.results[1] = x
		return
	}
	r.results = append(r.results, x)
}

// FirstAndLast are the results of the first and of the latest call of Evaluate: in
// a run, before and after training. ok is false before there were two.
func (r *record[T]) FirstAndLast() (first, last T, ok bool) {
	if len(r.results) < 2 {
		return first, last, false
	}
	return r.results[0], r.results[1], true
}

package unpaired

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/train"
)

// EvalSource is held-out data: a source that ends (BatchOptions.Epochs 1) and
// starts again when it is sought to the zero cursor. Batcher is one.
type EvalSource interface {
	StepSource
	Seek(data.Cursor) error
}

// evaluator measures the policy on held-out rows: the loss and the metrics of
// training, each a mean over all rows or all tokens of completions. KTO's z is that
// of each evaluation step, BCO's δ as training left it.
type evaluator struct {
	of     *stage
	prog   *program
	step   Step
	seen   measurement
	scores []float64
	next   train.Evaluator // the caller's own, or nil
}

// newEvaluator compiles the forward pass in the memory of training.
func newEvaluator(s *stage, next train.Evaluator) (train.Evaluator, error) {
	if s.opts.EvalData == nil {
		return next, nil
	}
	prog, err := compile(s.policy, s.opts, nil, s.arena)
	return &evaluator{of: s, prog: prog, next: next}, err
}

// Evaluate implements train.Evaluator.
func (e *evaluator) Evaluate(ctx context.Context, m *train.Metrics) error {
	if err := policy.Each(ctx, e.of.opts.EvalData, &e.step, func() error { return e.add(m) }); err != nil {
		return fmt.Errorf("unpaired: evaluation: %w", err)
	}
	addMargin(m)
	if e.next == nil {
		return nil
	}
	return e.next.Evaluate(ctx, m)
}

// add books one step.
func (e *evaluator) add(m *train.Metrics) error {
	against, err := e.of.base.settle(e.step.Micro, false)
	if err != nil {
		return err
	}
	rows := 0
	for i := range e.step.Micro {
		b := &e.step.Micro[i]
		n := len(b.Desirable)
		if n == 0 {
			continue
		}
		rows += n
		if e.scores, err = e.of.base.reference.Score(e.scores[:0], &b.Packed); err != nil {
			return err
		}
		loss, err := e.prog.compute(b, given{reference: e.scores, baseline: against})
		if err != nil {
			return err
		}
		m.Add("loss", loss/float64(n), float64(n))
		if err := e.seen.add(m, e.prog, b, e.of.opts.beta(), false); err != nil {
			return err
		}
	}
	if name := e.prog.asks.metric(); name != "" {
		m.Add(name, against, float64(rows))
	}
	return nil
}

package dpo

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// EvalSource is held-out data: a source that ends (BatchOptions.Epochs 1) and
// starts again when it is sought to the zero cursor. Batcher is one.
type EvalSource interface {
	StepSource
	Seek(data.Cursor) error
}

// evaluator measures the policy on held-out pairs: the loss and the metrics of
// training, each a mean over all pairs or all tokens of answers.
type evaluator struct {
	src    EvalSource
	prog   *program
	scorer scorer
	step   Step
	seen   measurement
	scores []float64
	next   train.Evaluator // the caller's own, or nil
	follow func()
}

// newEvaluator compiles the forward pass in the memory of training.
func newEvaluator(s *stage, arena *tensor.Arena, next train.Evaluator) (train.Evaluator, error) {
	if s.opts.EvalData == nil {
		return next, nil
	}
	prog, err := compile(s.policy, s.opts, s.opts.size(), nil, arena)
	if err != nil {
		return nil, err
	}
	// A reference that is due to move would do so at the start of the next step.
	follow := func() { s.follower.follow(s.count) }
	e := &evaluator{src: s.opts.EvalData, prog: prog, next: next, follow: follow}
	ref := *s.reference
	ref.file = beside(ref.file)
	e.scorer, err = newScorer(&ref, s.opts, arena, s.opts.EvalData)
	return e, err
}

// Evaluate implements train.Evaluator.
func (e *evaluator) Evaluate(ctx context.Context, m *train.Metrics) error {
	e.follow()
	if err := e.walk(ctx, m); err != nil {
		return fmt.Errorf("dpo: evaluation: %w", err)
	}
	if e.next == nil {
		return nil
	}
	return e.next.Evaluate(ctx, m)
}

func (e *evaluator) walk(ctx context.Context, m *train.Metrics) error {
	return policy.Each(ctx, e.src, &e.step, func() error {
		for i := range e.step.Micro {
			if err := e.add(&e.step.Micro[i], m); err != nil {
				return err
			}
		}
		return nil
	})
}

// add books one micro-batch.
func (e *evaluator) add(b *Batch, m *train.Metrics) error {
	if len(b.Chosen) == 0 {
		return nil
	}
	var err error
	if e.scorer != nil {
		if e.scores, err = e.scorer.score(e.scores[:0], b); err != nil {
			return err
		}
	}
	loss, err := e.prog.compute(b, divided(e.step.Micro, given{reference: e.scores}))
	if err != nil {
		return err
	}
	n := float64(len(b.Chosen))
	m.Add("loss", loss/n, n)
	return e.seen.add(m, e.prog, b, false)
}

package reward

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

// evaluator measures the reward model on held-out groups: the loss and the
// metrics of training, over all of them.
type evaluator struct {
	src  EvalSource
	prog *program
	loss Loss
	step Step
	seen measurement
	all  tally
	next train.Evaluator // the caller's own, or nil

	first, last Calibration
}

// newEvaluator compiles the forward pass in the memory of training.
func newEvaluator(s *stage, arena *tensor.Arena, next train.Evaluator) (train.Evaluator, error) {
	if s.opts.EvalData == nil {
		return next, nil
	}
	prog, err := assemble(s.net, s.opts, nil, arena)
	if err != nil {
		return nil, err
	}
	return &evaluator{src: s.opts.EvalData, prog: prog, loss: s.opts.Loss, seen: measurement{traits: s.traits}, all: tally{traits: s.traits}, next: next}, nil
}

// Evaluate implements train.Evaluator.
func (e *evaluator) Evaluate(ctx context.Context, m *train.Metrics) error {
	if err := e.walk(ctx, m); err != nil {
		return fmt.Errorf("reward: evaluation: %w", err)
	}
	if e.next == nil {
		return nil
	}
	return e.next.Evaluate(ctx, m)
}

func (e *evaluator) walk(ctx context.Context, m *train.Metrics) error {
	e.seen.reset()
	e.all.reset()
	err := each(ctx, e.src, &e.step, func(b *Batch) error {
		if err := b.has(e.seen.traits.Need, e.loss); err != nil {
			return err
		}
		loss, err := e.prog.compute(b, 0)
		if err != nil {
			return err
		}
		if n := b.weight(e.seen.traits); n > 0 {
			m.Add("loss", loss/n, n)
		}
		if err := e.seen.add(m, e.prog, b); err != nil {
			return err
		}
		e.all.add(b, e.seen.scores)
		return nil
	})
	if err != nil {
		return err
	}
	if c, ok := e.all.calibration(); ok {
		c.log(m)
		if e.last = c; e.first.Judgements == 0 {
			e.first = c
		}
	}
	return nil
}

// each calls f for every micro-batch of a source, from its start to its end.
func each(ctx context.Context, src EvalSource, step *Step, f func(b *Batch) error) error {
	return policy.Each(ctx, src, step, func() error {
		for i := range step.Micro {
			if err := f(&step.Micro[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

package sft

import (
	"context"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// EvalSource is held-out data: a source that ends (data.BatchOptions.Epochs 1)
// and starts again when it is sought to the zero cursor. data.Batcher is one.
type EvalSource interface {
	data.StepSource
	Seek(data.Cursor) error
}

// evaluator measures the policy on held-out batches: loss, perplexity, entropy
// and mean_token_accuracy, each a mean over the target tokens of all batches.
type evaluator struct {
	src  EvalSource
	prog *program
	step data.Step
	next train.Evaluator // the caller's own, or nil
}

// newEvaluator compiles the forward pass in the memory of training.
func newEvaluator(p Policy, o Options, arena *tensor.Arena, next train.Evaluator) (train.Evaluator, error) {
	if o.EvalData == nil {
		return next, nil
	}
	prog, err := compile(p, o, o.shape(), nil, arena)
	if err != nil {
		return nil, err
	}
	return &evaluator{src: o.EvalData, prog: prog, next: next}, nil
}

// Evaluate implements train.Evaluator.
func (e *evaluator) Evaluate(ctx context.Context, m *train.Metrics) error {
	err := policy.Each(ctx, e.src, &e.step, func() error {
		for i := range e.step.Micro {
			if err := e.add(&e.step.Micro[i], m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sft: evaluation: %w", err)
	}
	if nll, ok := m.Value("nll"); ok {
		m.Set("perplexity", math.Exp(nll))
	}
	if e.next == nil {
		return nil
	}
	return e.next.Evaluate(ctx, m)
}

// add books one micro-batch.
func (e *evaluator) add(b *data.Packed, m *train.Metrics) error {
	w := sumWeights(b.Weights)
	if w == 0 {
		return nil
	}
	loss, err := e.prog.compute(b, 0)
	if err != nil {
		return err
	}
	nll, err := scalar(e.prog, e.prog.nll)
	if err != nil {
		return err
	}
	entropy, hits, err := e.prog.statistics(b)
	if err != nil {
		return err
	}
	m.Add("loss", loss/w, w)
	m.Add("nll", nll/w, w)
	m.Add("entropy", entropy/w, w)
	m.Add("mean_token_accuracy", hits/w, w)
	return nil
}

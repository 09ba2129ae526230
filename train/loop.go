package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"
)

// Names of the metrics that the loop itself gives, TRL's.
const (
	lossName            = "loss"
	gradNormName        = "grad_norm"
	learningRateName    = "learning_rate"
	epochName           = "epoch"
	numTokensName       = "num_tokens"
	tokensPerSecondName = "tokens_per_second"
	stepSecondsName     = "step_seconds"
)

// Steps runs the training one optimizer step an iteration, evaluations, samples
// and checkpoints between them, until the run ends. Breaking out leaves the
// trainer as it is after that step: a later call goes on there. An error is the
// last thing that is yielded.
//
// When ctx ends the step in progress is completed, and then the error wraps
// ctx.Err(); the trainer can go on or be saved. After any other error it cannot:
// the run goes on from its last checkpoint.
func (t *Trainer) Steps(ctx context.Context) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		stopped := false
		err := t.run(ctx, func(s Step) bool {
			stopped = !yield(s, nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(Step{}, err)
		}
	}
}

// run is the loop: what is due after the step before, then the next step.
func (t *Trainer) run(ctx context.Context, yield func(Step) bool) error {
	if t.failed != nil {
		return t.failed
	}
	for {
		if t.progress.Ended {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("train: stopped after step %d: %w", t.progress.Step, err)
		}
		s, err := t.advance(ctx)
		if errors.Is(err, io.EOF) {
			t.progress.Ended = true
			continue
		}
		if err != nil {
			return err
		}
		if t.hooks.Step != nil {
			if err := t.hooks.Step(s); err != nil {
				return t.fail(fmt.Errorf("train: step %d: Step hook: %w", s.N, err))
			}
		}
		if !yield(s) {
			return nil
		}
	}
}

// fail makes err final.
func (t *Trainer) fail(err error) error {
	t.failed = err
	return err
}

// advance takes one optimizer step. It returns io.EOF when there is none.
func (t *Trainer) advance(ctx context.Context) (Step, error) {
	began := time.Now()
	n := t.progress.Step + 1
	t.batch.Weights = t.batch.Weights[:0]
	if err := t.stage.Next(ctx, &t.batch); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) || err == io.EOF {
			return Step{}, err // nothing was drawn
		}
		return Step{}, t.fail(fmt.Errorf("train: step %d: stage %s: next batch: %w", n, t.stage.Name(), err))
	}
	s := Step{N: n, LR: t.rate(), Metrics: &t.metrics, Timing: &t.timing}
	if err := t.differentiate(n); err != nil {
		return Step{}, t.fail(err)
	}
	if err := t.measure(&s); err != nil {
		return Step{}, t.fail(err)
	}
	t.optimizer.Update(n, s.LR, t.clipFactor(s.GradNorm))
	t.account(&s, time.Since(began))
	return s, nil
}

// rate is the learning rate of the next step.
func (t *Trainer) rate() float64 {
	if t.reaction != nil {
		return t.reaction.Rate()
	}
	return t.options.Schedule.LR(t.progress.Step, t.total, t.options.Optimizer.BaseLR())
}

// differentiate fills the accumulators with the gradient of the whole step.
func (t *Trainer) differentiate(n int) error {
	var total float64
	for i, w := range t.batch.Weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("train: step %d: stage %s: weight of micro-batch %d: got %v, want a finite number of at least 0", n, t.stage.Name(), i, w)
		}
		total += w
	}
	if len(t.batch.Weights) == 0 {
		return fmt.Errorf("train: step %d: stage %s: got no micro-batch, want at least one", n, t.stage.Name())
	}
	ZeroGrads(t.params)
	for i, w := range t.batch.Weights {
		denominator := total
		if t.options.Denominator == PerMicroBatch {
			denominator = w * float64(len(t.batch.Weights))
		}
		if err := t.stage.Backward(i, seed(denominator)); err != nil {
			return fmt.Errorf("train: step %d: stage %s: micro-batch %d: %w", n, t.stage.Name(), i, err)
		}
	}
	return nil
}

// seed is 1/denominator. Nothing counts in a micro-batch of weight 0, and 0/0
// must not spoil the step.
func seed(denominator float64) float64 {
	if denominator == 0 {
		return 0
	}
	return 1 / denominator
}

// measure collects the metrics of a differentiated step and refuses numbers
// that are not finite.
func (t *Trainer) measure(s *Step) error {
	t.metrics.Reset()
	if err := t.stage.Collect(&t.metrics); err != nil {
		return fmt.Errorf("train: step %d: stage %s: metrics: %w", s.N, t.stage.Name(), err)
	}
	s.Loss, _ = t.metrics.Value(lossName)
	if math.IsNaN(s.Loss) || math.IsInf(s.Loss, 0) {
		return &NonFiniteError{Step: s.N, Name: lossName, Value: s.Loss}
	}
	s.GradNorm = t.norm.value(t.device)
	if math.IsNaN(s.GradNorm) || math.IsInf(s.GradNorm, 0) {
		return &NonFiniteError{Step: s.N, Name: t.norm.culprit(), Value: s.GradNorm}
	}
	return nil
}

func (t *Trainer) clipFactor(norm float64) float64 {
	if limit := *t.options.MaxGradNorm; limit > 0 {
		return ClipFactor(norm, limit)
	}
	return 1
}

// account books a step that has been taken.
func (t *Trainer) account(s *Step, took time.Duration) {
	p := &t.progress
	p.Step, p.Epoch = s.N, t.batch.Epoch
	p.Tokens += int64(t.batch.Tokens)
	o := &t.options
	p.Ended = o.MaxSteps > 0 && p.Step >= o.MaxSteps || o.Epochs > 0 && p.Epoch >= o.Epochs
	s.Epoch, s.Tokens, s.Elapsed = p.Epoch, p.Tokens, took

	m := &t.metrics
	m.Set(gradNormName, s.GradNorm)
	m.Set(learningRateName, s.LR)
	m.Set(epochName, s.Epoch)
	m.Set(numTokensName, float64(s.Tokens))
	t.timing.Reset()
	if seconds := took.Seconds(); seconds > 0 {
		t.timing.Set(tokensPerSecondName, float64(t.batch.Tokens)/seconds)
		t.timing.Set(stepSecondsName, seconds)
	}
}

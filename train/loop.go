package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
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
func (t *Trainer) run(ctx context.Context, yield func(Step) bool) (err error) {
	if t.failed != nil {
		return t.failed
	}
	if t.finished {
		return nil
	}
	if err := t.openLogs(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.closeLogs()) }()
	if err := t.emit(t.startEvent()); err != nil {
		return err
	}
	for {
		if err := t.duties(ctx); err != nil {
			return err
		}
		if t.progress.Ended {
			return t.finish()
		}
		s, err := t.advance(ctx)
		if err == io.EOF {
			if t.progress.Step == 0 {
				return t.fail(fmt.Errorf("train: stage %s: got no batch, want at least one", t.stage.Name()))
			}
			t.progress.Ended = true
			continue
		}
		if err != nil {
			return err
		}
		if err := t.stepHook(s); err != nil {
			return err
		}
		if !yield(s) {
			return nil
		}
	}
}

// openLogs opens the log files of the run folder, if there is one.
func (t *Trainer) openLogs() error {
	if t.folder == nil {
		return nil
	}
	tidied := t.folder.ready
	err := t.folder.prepare()
	if err == nil && !tidied && t.saved.Step >= 0 {
		// The process before may have died between a checkpoint and its name.
		err = t.tidy()
	}
	if err == nil {
		t.logs, err = t.folder.openLogs()
	}
	if err != nil {
		return t.fail(err)
	}
	return nil
}

// closeLogs closes them; the folder remembers where they end.
func (t *Trainer) closeLogs() error {
	if t.logs == nil {
		return nil
	}
	t.folder.lengths = t.logs.lengths()
	err := t.logs.close()
	t.logs = nil
	if err != nil {
		return t.fail(err)
	}
	return nil
}

// startEvent describes the run.
func (t *Trainer) startEvent() Event {
	fields := struct {
		Stage   string  `json:"stage"`
		Total   int     `json:"total_steps"`
		Machine         // its fields
		Options Options `json:"options"`
	}{t.stage.Name(), t.total, ThisMachine(t.device), t.options}
	return Event{Kind: EventStart, Step: t.progress.Step, Path: t.options.Out, Fields: appendObject(nil, fields)}
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
	if c := t.options.Companion; c != nil {
		if err := c.Updated(n); err != nil {
			return Step{}, t.fail(fmt.Errorf("train: step %d: companion: %w", n, err))
		}
	}
	t.account(&s, time.Since(began))
	return s, t.log(&s)
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
	if c := t.options.Companion; c != nil {
		if err := c.Gradients(s.N, &t.metrics); err != nil {
			return fmt.Errorf("train: step %d: companion: %w", s.N, err)
		}
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

// epochSlack forgives the rounding of a Stage that adds up shares of epochs.
const epochSlack = 1e-9

// account books a step that has been taken.
func (t *Trainer) account(s *Step, took time.Duration) {
	p := &t.progress
	p.Step, p.Epoch = s.N, t.batch.Epoch
	p.Tokens += int64(t.batch.Tokens)
	o := &t.options
	p.Ended = o.MaxSteps > 0 && p.Step >= o.MaxSteps || o.Epochs > 0 && p.Epoch >= o.Epochs-epochSlack
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
	if timed, ok := t.stage.(Timed); ok {
		timed.Timing(&t.timing)
	}
}

// log reports a step that has been taken.
func (t *Trainer) log(s *Step) error {
	if log := t.options.Logger; log.Enabled(context.Background(), slog.LevelInfo) {
		log.Info("step", append(attributes(s.N, s.Metrics), attributes(0, s.Timing)[2:]...)...)
	}
	return t.emit(Event{Kind: EventStep, Step: s.N, Metrics: s.Metrics, Timing: s.Timing})
}

// attributes are metrics as slog takes them.
func attributes(step int, m *Metrics) []any {
	list := []any{"step", step}
	for name, value := range m.All() {
		list = append(list, name, value)
	}
	return list
}

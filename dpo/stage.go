package dpo

import (
	"context"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// stage implements train.Stage.
type stage struct {
	policy    Policy
	opts      Options
	src       StepSource
	reference *Frozen
	follower  *follower // nil where the reference stands still
	scorer    scorer
	params    []*tensor.Param
	list      []train.Parameter
	prog      *program
	arena     *tensor.Arena
	perMicro  bool // losses are divided by each micro-batch's own pairs

	step  Step
	count uint64 // optimizer steps begun
	fresh bool   // the policy is as it was when New was called

	loss    float64       // of the step so far, divided
	metrics train.Metrics // of the step so far
	seen    measurement
	scores  []float64
}

// Name is "dpo".
func (s *stage) Name() string { return "dpo" }

// Parameters implements train.Stage.
func (s *stage) Parameters() []train.Parameter { return s.list }

// Next implements train.Stage.
func (s *stage) Next(ctx context.Context, b *train.Batch) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("dpo: %w", err)
	}
	s.follower.follow(s.count)
	if err := s.draw(ctx); err != nil {
		return err
	}
	if n := len(s.step.Micro); n > 1 && !s.perMicro && traits(s.opts.Loss, s.opts.beta()).BatchCoupled {
		return fmt.Errorf("dpo: got a step of %d micro-batches for the loss %s, whose pairs must be seen together; want larger micro-batches (BatchOptions.TokensPerMicro), or train.PerMicroBatch to let each be a batch of its own", n, s.opts.Loss.Name())
	}
	s.fresh = s.count == 0
	s.count++
	s.loss = 0
	s.metrics.Reset()
	b.Weights, b.Tokens, b.Epoch = b.Weights[:0], 0, s.step.Epoch
	for i := range s.step.Micro {
		b.Weights = append(b.Weights, float64(len(s.step.Micro[i].Chosen)))
		b.Tokens += s.step.Micro[i].Texts
	}
	return nil
}

// Measured is a source that has numbers of its own to log with the steps it gave.
type Measured interface {
	Measure(m *train.Metrics)
}

// Waiter is a source that may take long, as one that samples answers: it gets the
// context of the run in place of Next.
type Waiter interface {
	// NextContext is Next; when ctx ends it has drawn nothing.
	NextContext(ctx context.Context, step *Step) error
}

// draw fetches the next step.
func (s *stage) draw(ctx context.Context) error {
	if w, ok := s.src.(Waiter); ok {
		return w.NextContext(ctx, &s.step)
	}
	return s.src.Next(&s.step)
}

// divided fills in the means over all pairs whose losses are divided together:
// those of micro.
func divided(micro []Batch, in given) given {
	tokens, texts, pairs := 0, 0, 0
	for i := range micro {
		b := &micro[i]
		tokens += b.chosenTokens()
		texts += b.promptTokens()
		pairs += len(b.Chosen)
	}
	n := float64(max(1, pairs))
	in.meanChosen, in.meanText = float64(tokens)/n, float64(tokens+texts)/n
	return in
}

// Backward implements train.Stage.
func (s *stage) Backward(micro int, seed float64) error {
	b := &s.step.Micro[micro]
	if err := s.score(b); err != nil {
		return fmt.Errorf("dpo: micro-batch %d: %w", micro, err)
	}
	together := s.step.Micro
	if s.perMicro {
		together = together[micro : micro+1]
	}
	in := divided(together, given{reference: s.scores, seed: seed})
	loss, err := s.prog.compute(b, in)
	if err != nil {
		return fmt.Errorf("dpo: micro-batch %d: %w", micro, err)
	}
	s.loss += loss * seed
	if err := s.seen.add(&s.metrics, s.prog, b, s.opts.MicroMeans); err != nil {
		return err
	}
	if s.fresh && s.reference.Start {
		return s.checkStart(b, loss/float64(max(1, len(b.Chosen))))
	}
	return nil
}

// score computes the reference's log-probabilities, where the loss needs any.
func (s *stage) score(b *Batch) (err error) {
	if s.scorer == nil {
		return nil
	}
	s.scores, err = s.scorer.score(s.scores[:0], b)
	return err
}

// checkStart asserts that the policy is its reference and the loss what it says it
// is there.
func (s *stage) checkStart(b *Batch, loss float64) error {
	tol := policy.StartTol(s.policy.Model)
	for side, name := range [...]string{"chosen", "rejected"} {
		var err error
		if s.scores, err = policy.AppendValues(s.scores[:0], s.prog.run, s.prog.ratios[side]); err != nil {
			return err
		}
		for i, ratio := range s.scores {
			size := math.Max(1, math.Abs(s.seen.pairs[side+2][i]))
			if !(math.Abs(ratio) <= tol*size) {
				return fmt.Errorf("%w: pair %d: log-ratio of the %s answer is %g, want 0", ErrReference, b.Pairs[i], name, ratio)
			}
		}
	}
	want := traits(s.opts.Loss, s.opts.beta())
	// A log-ratio of tol·size moves a loss by about as much.
	if want.Known && !(math.Abs(loss-want.AtReference) <= 100*tol*math.Max(1, math.Abs(want.AtReference))) {
		return fmt.Errorf("%w: loss %s is %g, want %g as it declares", ErrReference, s.opts.Loss.Name(), loss, want.AtReference)
	}
	return nil
}

// Collect implements train.Stage.
func (s *stage) Collect(m *train.Metrics) error {
	m.Set("loss", s.loss)
	for name, value := range s.metrics.All() {
		m.Set(name, value)
	}
	if src, ok := s.src.(Measured); ok {
		src.Measure(m)
	}
	return nil
}

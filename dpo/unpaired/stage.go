package unpaired

import (
	"context"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// stage implements train.Stage.
type stage struct {
	policy    dpo.Policy
	opts      Options
	src       StepSource
	reference *dpo.Frozen
	list      []train.Parameter
	prog      *program
	base      baseline
	arena     *tensor.Arena
	perMicro  bool // losses are divided by each micro-batch's own rows

	step  Step
	count uint64 // optimizer steps begun
	fresh bool   // the policy is as it was when New was called

	loss    float64       // of the step so far, divided
	against float64       // z or δ
	metrics train.Metrics // of the step so far
	seen    measurement
	scores  []float64
}

// Name is "unpaired".
func (s *stage) Name() string { return "unpaired" }

// Parameters implements train.Stage.
func (s *stage) Parameters() []train.Parameter { return s.list }

// Next implements train.Stage.
func (s *stage) Next(ctx context.Context, b *train.Batch) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("unpaired: %w", err)
	}
	if err := s.src.Next(&s.step); err != nil {
		return err
	}
	s.fresh = s.count == 0
	s.count++
	s.loss = 0
	s.metrics.Reset()
	b.Weights, b.Tokens, b.Epoch = b.Weights[:0], 0, s.step.Epoch
	for i := range s.step.Micro {
		b.Weights = append(b.Weights, float64(len(s.step.Micro[i].Desirable)))
		b.Tokens += len(s.step.Micro[i].Tokens)
	}
	return nil
}

// settle finds what the rows of a micro-batch are compared with: once a step, or
// with perMicro for each micro-batch.
func (s *stage) settle(micro int) (err error) {
	together := s.step.Micro
	if s.perMicro {
		together = together[micro : micro+1]
	} else if micro > 0 {
		return nil
	}
	if s.against, err = s.base.settle(together, true); err != nil {
		return err
	}
	if name := s.prog.asks.metric(); name != "" {
		s.metrics.Add(name, s.against, 1)
	}
	return nil
}

// metric is the name under which a baseline is logged.
func (t Traits) metric() string {
	switch {
	case t.KL:
		return "kl"
	case t.Delta:
		return "delta"
	}
	return ""
}

// Backward implements train.Stage.
func (s *stage) Backward(micro int, seed float64) error {
	b := &s.step.Micro[micro]
	err := s.settle(micro)
	if err == nil {
		s.scores, err = s.base.reference.Score(s.scores[:0], &b.Packed)
	}
	if err != nil {
		return fmt.Errorf("unpaired: micro-batch %d: %w", micro, err)
	}
	loss, err := s.prog.compute(b, given{reference: s.scores, baseline: s.against, seed: seed})
	if err != nil {
		return fmt.Errorf("unpaired: micro-batch %d: %w", micro, err)
	}
	s.loss += loss * seed
	if err := s.seen.add(&s.metrics, s.prog, b, s.opts.beta(), s.opts.MicroMeans); err != nil {
		return err
	}
	if s.fresh && s.reference.Start {
		return s.checkStart(b, loss)
	}
	return nil
}

// checkStart asserts that the policy is its reference, what rows are compared with
// 0, and the loss what it says it is there.
func (s *stage) checkStart(b *Batch, loss float64) error {
	tol := policy.StartTol(s.policy.Model)
	farthest, want := 1.0, 0.0
	about := s.prog.asks
	for i, ratio := range s.seen.ratio {
		size := math.Max(1, math.Abs(s.seen.logProb[i]))
		farthest = math.Max(farthest, size)
		if !(math.Abs(ratio) <= tol*size) {
			return fmt.Errorf("%w: row %d: log-ratio is %g, want 0", dpo.ErrReference, b.Examples[i], ratio)
		}
		want += about.AtReference[1]
		if b.Desirable[i] {
			want += about.AtReference[0] - about.AtReference[1]
		}
	}
	if !(math.Abs(s.against) <= tol*farthest) {
		return fmt.Errorf("%w: %s is %g, want 0", dpo.ErrReference, about.metric(), s.against)
	}
	// A log-ratio of tol·size moves a loss by about as much.
	if about.Known && !(math.Abs(loss-want) <= 100*tol*math.Max(1, math.Abs(want))) {
		return fmt.Errorf("%w: loss %s is %g, want %g as it declares", dpo.ErrReference, s.opts.Loss.Name(), loss, want)
	}
	return nil
}

// Collect implements train.Stage.
func (s *stage) Collect(m *train.Metrics) error {
	m.Set("loss", s.loss)
	for name, value := range s.metrics.All() {
		m.Set(name, value)
	}
	if !s.opts.MicroMeans {
		addMargin(m)
	}
	return nil
}

// addMargin books the difference of the mean rewards of both classes, where both
// are there. (TRL's is the mean over the micro-batches that have both.)
func addMargin(m *train.Metrics) {
	good, ok := m.Value("rewards/chosen")
	bad, too := m.Value("rewards/rejected")
	if ok && too {
		m.Set("rewards/margins", good-bad)
	}
}

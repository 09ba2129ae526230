package rlhf

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// stage implements train.Stage.
type stage struct {
	policy    Policy
	opts      Options
	weights   []float64 // of the rewarders
	data      string    // fingerprint of the prompts
	longest   int
	source    Source
	generator *generate.Generator // nil where others sample
	reference *frozen             // nil without a KL term
	scorer    *scorer             // of the policy as it is; nil where old log-probabilities are not needed
	unsure    *scorer             // entropies; nil where all tokens teach
	params    []*tensor.Param
	list      []train.Parameter
	prog      *program
	judge     *judge // nil without a critic
	arena     *tensor.Arena
	perMicro  bool // losses are divided by each micro-batch's own weight
	layout    layout

	roll   *rollout.Rollout
	ready  bool    // roll has been scored and has its advantages
	at     int     // optimizer steps made of roll
	before float64 // epochs done before roll
	count  uint64  // optimizer steps begun
	fresh  bool    // the policy is as it was when New was called
	first  bool    // the step is the first of its rollout

	rows      []*rollout.Completion // of the step
	micro     []microBatch
	in        given
	totals    totals
	loss      float64 // of the step so far, divided
	metrics   train.Metrics
	seen      measurement
	log       *slog.Logger
	clock     clock
	corrected corrected
	control   controls
	stopped   []string                          // why alarms ended the run
	kept      map[*rollout.Completion][]float64 // of the step: which tokens teach
	lesson    lesson
	paid      float64 // factor of the KL in the rewards of the rollout
}

// totals are counts over the whole optimizer step.
type totals struct {
	rows, tokens float64           // completions, and tokens of Mask 1
	groups       map[int64]float64 // mean length of the rows of a group
}

// Name is "rlhf".
func (s *stage) Name() string { return "rlhf" }

// Parameters implements train.Stage.
func (s *stage) Parameters() []train.Parameter { return s.list }

// close releases the sampler.
func (s *stage) close() error {
	if s.generator == nil {
		return nil
	}
	g := s.generator
	s.generator = nil
	return g.Close()
}

// Next implements train.Stage.
func (s *stage) Next(ctx context.Context, b *train.Batch) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("rlhf: %w", err)
	}
	if len(s.stopped) > 0 {
		return io.EOF
	}
	s.clock.start()
	s.metrics.Reset()
	if err := s.obtain(ctx); err != nil {
		return err
	}
	s.first = s.at%s.opts.steps() == 0
	if err := s.choose(); err != nil {
		return err
	}
	if err := s.keepUnsure(); err != nil {
		return err
	}
	s.at++
	s.fresh = s.count == 0
	s.count++
	s.loss = 0
	if s.judge != nil {
		s.judge.total = 0
	}
	s.seen.reset()
	s.describe(b)
	return nil
}

// Backward implements train.Stage.
func (s *stage) Backward(micro int, seed float64) error {
	b := &s.micro[micro]
	if len(b.Targets) == 0 { // nothing but empty completions
		return nil
	}
	s.give(b, seed)
	loss, err := s.prog.compute(b, &s.in)
	if err != nil {
		return fmt.Errorf("rlhf: micro-batch %d: %w", micro, err)
	}
	s.loss += loss * seed
	if err := s.seen.read(s.prog); err != nil {
		return err
	}
	if s.fresh {
		if err := s.checkFirst(b); err != nil {
			return fmt.Errorf("micro-batch %d: %w", micro, err)
		}
	}
	s.book(b)
	s.lesson.book(b, s.seen.logProb)
	if s.judge == nil {
		return nil
	}
	if err := s.judge.learn(b, s.in.mask, s.valueSeed(micro)); err != nil {
		return fmt.Errorf("rlhf: critic: micro-batch %d: %w", micro, err)
	}
	return s.judge.book(&s.metrics, s.in.mask)
}

// Collect implements train.Stage.
func (s *stage) Collect(m *train.Metrics) error {
	m.Set("loss", s.loss)
	if j := s.judge; j != nil {
		m.Set("loss", s.loss+j.total)
		m.Set("loss/policy_avg", s.loss)
		m.Set("loss/value_avg", j.total/j.Coef)
		if s.first {
			m.Set("critic/vf_explained_var", j.explained)
		}
	}
	if s.first {
		s.bookRollout(m)
	}
	s.seen.finish(&s.metrics)
	s.lesson.finish(&s.metrics)
	if s.opts.KLControl.Target > 0 {
		s.metrics.Set("kl_coef", s.control.KL*max(s.opts.Objective.KL.Coef, s.opts.KLInReward.Coef))
	}
	if s.opts.EntropyControl.Target > 0 {
		s.metrics.Set("entropy_coef", s.control.Entropy)
		s.opts.EntropyControl.afterStep(&s.control, &s.metrics)
	}
	for name, value := range s.metrics.All() {
		m.Set(name, value)
	}
	for _, reason := range s.opts.Alarms.Observe(m) {
		s.stopped = append(s.stopped, reason)
		s.log.Warn("alarm ends the run", "reason", reason)
	}
	return nil
}

// Conclusion implements train.Concluder.
func (s *stage) Conclusion() string { return strings.Join(s.stopped, "; ") }

package rlhf

import (
	"context"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// obtain makes sure that there is a rollout with steps left.
func (s *stage) obtain(ctx context.Context) error {
	if s.roll == nil || s.at == s.opts.steps() {
		r, err := s.source.Next(ctx, int64(s.count))
		if err != nil {
			return err
		}
		if len(r.Completions) == 0 {
			return fmt.Errorf("rlhf: rollout %d has no completion, want one at least", r.Number)
		}
		if s.roll != nil {
			s.before = s.roll.Epoch
		}
		s.roll, s.ready, s.at = r, false, 0
		s.clock.generation += r.Timing.Generation
		s.clock.scoring += r.Timing.Scoring
		for _, f := range r.Faults {
			s.log.Warn("rewarder failed", "rewarder", f.Rewarder, "kind", f.Kind, "completions", f.Completions, "error", f.Err)
		}
	}
	if s.ready {
		return nil
	}
	began := train.StartStopwatch()
	err := s.prepare()
	s.ready = err == nil
	s.clock.scoring += began.Elapsed()
	return err
}

// prepare computes, once, what a rollout is compared with, and its advantages.
func (s *stage) prepare() error {
	r := s.roll
	for i, c := range r.Completions {
		if err := checkCompletion(c); err != nil {
			return fmt.Errorf("rlhf: rollout %d: completion %d: %w", r.Number, i, err)
		}
	}
	old, ref := s.opts.needs()
	if old {
		missing := without(r.Completions, func(c *rollout.Completion) bool { return c.Old == nil })
		if err := s.scorer.score(&s.layout, missing, func(c *rollout.Completion, lp []float64) { c.Old = lp }); err != nil {
			return err
		}
	}
	if ref {
		missing := without(r.Completions, func(c *rollout.Completion) bool { return c.Ref == nil })
		if err := s.reference.score(&s.layout, missing); err != nil {
			return err
		}
	}
	s.correct()
	s.paid = s.control.KL
	if err := s.estimate(); err != nil {
		return err
	}
	if s.opts.KLControl.Target > 0 {
		s.opts.KLControl.afterRollout(&s.control, r.Completions, s.mask)
	}
	return nil
}

// without are the completions that lack something.
func without(list []*rollout.Completion, lacks func(c *rollout.Completion) bool) []*rollout.Completion {
	var out []*rollout.Completion
	for _, c := range list {
		if lacks(c) {
			out = append(out, c)
		}
	}
	return out
}

// checkCompletion refuses what a source should not give.
func checkCompletion(c *rollout.Completion) error {
	switch n := len(c.Tokens); {
	case c.Prompt == nil || len(c.Prompt.IDs) == 0:
		return errors.New("got no prompt, want one token at least: nothing predicts the first token of a text")
	case c.Old != nil && len(c.Old) != n || c.Ref != nil && len(c.Ref) != n:
		return fmt.Errorf("got %d and %d log-probabilities under old policy and reference, want one for each of %d tokens", len(c.Old), len(c.Ref), n)
	}
	return nil
}

// counts says whether a token is learnt from.
func (s *stage) counts(c *rollout.Completion, t int) bool {
	return c.Tokens[t].Role == rollout.Sampled && !(s.opts.MaskTruncated && c.Truncated())
}

package rlhf_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// session is a run that can be started again from nothing but its folder.
type session struct {
	full    bool
	prompts int
	opts    rlhf.Options
}

func newSession(full bool) session {
	return session{full: full, prompts: 9, opts: rlhf.Options{
		Objective: rlhf.Objective{Policy: rlhf.GRPO{}, KL: rlhf.KL{Coef: 0.05}, Entropy: 0.01},
		Rollout:   rollout.Options{Prompts: 3, Completions: 4, Seed: 5, MaxRounds: 2, Replay: 2}, Generate: generate.Options{MaxTokens: 5},
		StepsPerGeneration: 2, Iterations: 2, MicroTokens: 60, Correction: rlhf.Correction{Mode: advantage.TokenTruncate},
	}}
}

func (s session) trainer(t *testing.T, dir string, resume bool) (*rlhf.Trainer, error) {
	t.Helper()
	p := rlhf.Policy{Model: trial.Model(t, "qwen3", tensor.Float32)}
	if !s.full {
		p = adapted(t, p.Model, false)
	}
	loop := trial.Loop(11)
	loop.Out, loop.Resume, loop.SaveEvery, loop.SampleEvery = dir, resume, 3, 2
	tr, err := rlhf.New(p, somePrompts(s.prompts), byLow(), s.opts, loop)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, tr.Close()) })
	}
	return tr, err
}

// losses runs until the step stop, or to the end.
func losses(t *testing.T, tr *rlhf.Trainer, stop int) (list []float64) {
	t.Helper()
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		list = append(list, s.Loss)
		if s.N == stop {
			break
		}
	}
	return list
}

// A checkpoint in the middle of a rollout (steps 1 to 4 share one) goes on with it.
func TestResumedRunIsTheUndisturbedOne(t *testing.T) {
	for name, full := range map[string]bool{"adapter": false, "all weights": true} {
		t.Run(name, func(t *testing.T) {
			s := newSession(full)
			whole, err := s.trainer(t, "", false)
			require.NoError(t, err)
			want := losses(t, whole, 0)
			require.Len(t, want, 11)
			for _, stop := range []int{4, 7, 10} { // the checkpoints are of steps 3, 6 and 9
				dir := t.TempDir()
				first, err := s.trainer(t, dir, false)
				require.NoError(t, err)
				require.Equal(t, want[:stop], losses(t, first, stop))
				second, err := s.trainer(t, dir, true)
				require.NoError(t, err)
				require.Equal(t, stop-1, second.Step())
				require.Equal(t, want[stop-1:], losses(t, second, 0))
				for i, p := range second.Parameters() {
					require.Equal(t, whole.Parameters()[i].Data(), p.Data(), p.Name())
				}
			}
		})
	}
}

func TestResumeRefusesOtherRuns(t *testing.T) {
	s := newSession(false)
	dir := t.TempDir()
	first, err := s.trainer(t, dir, false)
	require.NoError(t, err)
	losses(t, first, 4)
	for name, change := range map[string]func(s *session){
		"prompts":              func(s *session) { s.prompts = 8 },
		"objective":            func(s *session) { s.opts.Objective.Policy = rlhf.DAPO{} },
		"advantages":           func(s *session) { s.opts.Advantages = rlhf.OPOAdvantages{} },
		"reference":            func(s *session) { s.opts.Reference.Base = true },
		"rollout":              func(s *session) { s.opts.Rollout.Completions = 3 },
		"order":                func(s *session) { s.opts.Rollout.Order = rollout.Sequential{} },
		"generate":             func(s *session) { s.opts.Generate.Temperature = 0.9 },
		"iterations":           func(s *session) { s.opts.Iterations = 3 },
		"steps_per_generation": func(s *session) { s.opts.StepsPerGeneration = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			other := s
			change(&other)
			tr, err := other.trainer(t, dir, true)
			if err == nil {
				for _, err = range tr.Steps(t.Context()) {
					break
				}
			}
			if name == "prompts" {
				require.ErrorIs(t, err, rlhf.ErrDataChanged)
				return
			}
			require.ErrorIs(t, err, train.ErrOptionsChanged)
			require.ErrorContains(t, err, name)
		})
	}
}

// Cancelled while it samples or scores, a run has lost nothing: it goes on to the
// same end.
func TestCancelledRunGoesOn(t *testing.T) {
	s := newSession(false)
	whole, err := s.trainer(t, "", false)
	require.NoError(t, err)
	want := losses(t, whole, 0)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	stop := rollout.Each("low", func(ctx context.Context, c *rollout.Completion) (float64, error) {
		if calls++; calls == 30 {
			cancel()
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if c.Tokens[0].ID < 10 {
			return 1, nil
		}
		return 0, nil
	})
	p := adapted(t, trial.Model(t, "qwen3", tensor.Float32), false)
	tr, err := rlhf.New(p, somePrompts(s.prompts), []rollout.Reward{{By: stop}}, s.opts, trial.Loop(11))
	require.NoError(t, err)
	defer tr.Close()
	var got []float64
	for s, err := range tr.Steps(ctx) {
		if err != nil {
			require.True(t, errors.Is(err, context.Canceled), err)
			break
		}
		got = append(got, s.Loss)
	}
	require.Less(t, len(got), 11)
	require.Equal(t, want, append(got, losses(t, tr, 0)...))
}

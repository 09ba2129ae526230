package sft_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// session is a run that can be started again from nothing but its folder.
type session struct {
	adapter bool
	opts    sft.Options
	batch   data.BatchOptions
	rows    int
	wrap    func(*data.Batcher) data.StepSource
}

func newSession(adapter bool) session {
	return session{
		adapter: adapter, rows: 20, opts: sft.Options{NEFTuneAlpha: 5, Seed: 7},
		batch: data.BatchOptions{TokensPerStep: 48, TokensPerMicro: 24, Seed: 3},
		wrap:  func(b *data.Batcher) data.StepSource { return b },
	}
}

func (s session) trainer(t *testing.T, dir string, resume bool) (*sft.Trainer, error) {
	t.Helper()
	p := sft.Policy{Model: trial.Model(t, "qwen3", tensor.Float32)}
	if s.adapter {
		p = adapted(t, p.Model, lora.Config{Dropout: 0.2})
	}
	loop := trial.Loop(11)
	loop.Out, loop.Resume, loop.SaveEvery = dir, resume, 4
	loop.Schedule = train.Linear{Warmup: train.Warmup{Steps: 2}}
	return sft.New(p, s.wrap(batcher(t, s.rows, s.batch)), s.opts, loop)
}

// steps runs until the step stop, or to the end.
func steps(t *testing.T, tr *sft.Trainer, stop int) (losses []float64) {
	t.Helper()
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		losses = append(losses, s.Loss)
		if s.N == stop {
			break
		}
	}
	return losses
}

func TestResumedRunIsTheUndisturbedOne(t *testing.T) {
	for _, adapter := range []bool{false, true} {
		t.Run(fmt.Sprintf("adapter %t", adapter), func(t *testing.T) {
			s := newSession(adapter)
			whole, err := s.trainer(t, "", false)
			require.NoError(t, err)
			losses := steps(t, whole, 0)
			require.Len(t, losses, 11)
			_, want := trial.Parameters(whole)

			dir := t.TempDir()
			first, err := s.trainer(t, dir, false)
			require.NoError(t, err)
			require.Equal(t, losses[:6], steps(t, first, 6)) // the checkpoint is of step 4
			second, err := s.trainer(t, dir, true)
			require.NoError(t, err)
			require.Equal(t, 4, second.Step())
			require.Equal(t, losses[4:], steps(t, second, 0))
			_, got := trial.Parameters(second)
			require.Equal(t, want, got)
		})
	}
}

// bare hides everything of a batcher but Next.
type bare struct{ src data.StepSource }

func (b bare) Next(s *data.Step) error { return b.src.Next(s) }

func TestResumeRefusesAnotherRun(t *testing.T) {
	begun := func(t *testing.T, s session) string {
		dir := t.TempDir()
		tr, err := s.trainer(t, dir, false)
		require.NoError(t, err)
		steps(t, tr, 5)
		return dir
	}
	for name, c := range map[string]struct {
		change func(*session)
		is     error
		text   string
	}{
		"rows":      {func(s *session) { s.rows = 21 }, sft.ErrDataChanged, "(21) in steps"},
		"seed":      {func(s *session) { s.batch.Seed = 4 }, sft.ErrDataChanged, "seed 4"},
		"step":      {func(s *session) { s.batch.TokensPerStep = 50 }, sft.ErrDataChanged, "steps of 50 tokens"},
		"layout":    {func(s *session) { s.batch.TokensPerMicro = 30 }, sft.ErrDataChanged, "micro-batches of 30 tokens"},
		"no cursor": {func(s *session) { s.wrap = func(b *data.Batcher) data.StepSource { return bare{b} } }, nil, "has no cursor"},
		"loss":      {func(s *session) { s.opts.Loss = sft.DFT{} }, train.ErrOptionsChanged, `loss: got dft, want nll {"LabelSmoothing":0} as before`},
		"smoothing": {func(s *session) { s.opts.Loss = sft.NLL{LabelSmoothing: 0.1} }, train.ErrOptionsChanged, `{"LabelSmoothing":0.1}`},
		"noise":     {func(s *session) { s.opts.NEFTuneAlpha = 6 }, train.ErrOptionsChanged, "neftune_noise_alpha: got 6, want 5 as before"},
		"key":       {func(s *session) { s.opts.Seed = 8 }, train.ErrOptionsChanged, "seed: got 8, want 7 as before"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(true)
			dir := begun(t, s)
			c.change(&s)
			_, err := s.trainer(t, dir, true)
			require.Error(t, err)
			assert.ErrorContains(t, err, c.text)
			if c.is != nil {
				assert.ErrorIs(t, err, c.is)
			}
		})
	}
	t.Run("memory may change", func(t *testing.T) {
		s := newSession(true)
		dir := begun(t, s)
		s.opts.MicroTokens, s.opts.Recompute = 100, true
		tr, err := s.trainer(t, dir, true)
		require.NoError(t, err)
		assert.Equal(t, 4, tr.Step())
	})
	t.Run("written without a cursor", func(t *testing.T) {
		s := newSession(true)
		s.wrap = func(b *data.Batcher) data.StepSource { return bare{b} }
		s.opts.MicroTokens = 24
		dir := begun(t, s)
		s.wrap = newSession(true).wrap
		_, err := s.trainer(t, dir, true)
		assert.ErrorContains(t, err, "has no cursor")
	})
}

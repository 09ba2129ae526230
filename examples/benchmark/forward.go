package main

import (
	"context"
	"math/rand/v2"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/generate"
)

// measureScore times the log-probabilities of whole rows.
func measureScore(ctx context.Context, s *settings, r *result) error {
	m, err := s.open()
	if err != nil {
		return err
	}
	set, err := s.rows(m.Config().VocabSize)
	if err != nil {
		return err
	}
	src, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: s.batchTokens, TokensPerMicro: s.microTokens, Seed: s.seed})
	if err != nil {
		return err
	}
	scorer, err := eval.NewScorer(m, eval.ScoreOptions{Tokens: s.microTokens, Device: s.device()})
	if err != nil {
		return err
	}
	defer scorer.Close()
	r.BeforeKernel = sinceStart()
	var c clock
	var step data.Step
	for i := 0; i < s.warm+s.steps && ctx.Err() == nil; i++ {
		if err := src.Next(&step); err != nil {
			return err
		}
		c.start()
		for k := range step.Micro {
			if _, err := scorer.LogProbs(&step.Micro[k]); err != nil {
				return err
			}
		}
		c.stop(step.Tokens)
		if i == 0 {
			r.StartupSeconds, r.FirstStep = sinceStart(), c.seconds[0]
		}
	}
	r.StepSeconds, r.TokensPerSecond = median(c.seconds[s.warm:]), median(c.rates[s.warm:])
	return ctx.Err()
}

// Lengths of the texts that measureGenerate decodes, as in the comparison with
// other programs.
const (
	promptTokens  = 64
	newTokens     = 64
	prefillTokens = 512
)

// measureGenerate times greedy decoding of -sequences texts at once, and the
// reading of one long prompt.
func measureGenerate(ctx context.Context, s *settings, r *result) error {
	m, err := s.open()
	if err != nil {
		return err
	}
	g, err := generate.New(m, generate.Config{Sequences: s.sequences, Context: prefillTokens + newTokens, Device: s.device()})
	if err != nil {
		return err
	}
	defer g.Close()
	random := rand.New(rand.NewPCG(s.seed, 2))
	texts := func(n, length int) [][]int32 {
		list := make([][]int32, n)
		for i := range list {
			for range length {
				list[i] = append(list[i], random.Int32N(int32(m.Config().VocabSize)))
			}
		}
		return list
	}
	r.BeforeKernel = sinceStart()
	prefill, err := s.repeat(prefillTokens, func() error {
		_, err := g.Generate(ctx, texts(1, prefillTokens), generate.Options{MaxTokens: 1, IgnoreEOS: true})
		return err
	})
	if err != nil {
		return err
	}
	r.StartupSeconds, r.FirstStep = sinceStart(), prefill.seconds[0]
	o := generate.Options{IgnoreEOS: true}
	one, err := s.repeat(s.sequences, func() error { // the prompts and the first token
		o.MaxTokens = 1
		_, err := g.Generate(ctx, texts(s.sequences, promptTokens), o)
		return err
	})
	if err != nil {
		return err
	}
	all, err := s.repeat(s.sequences, func() error {
		o.MaxTokens = newTokens
		_, err := g.Generate(ctx, texts(s.sequences, promptTokens), o)
		return err
	})
	if err != nil {
		return err
	}
	decode := median(all.seconds[s.warm:]) - median(one.seconds[s.warm:])
	r.StepSeconds = decode / (newTokens - 1)
	r.TokensPerSecond = float64(s.sequences) / r.StepSeconds
	r.Extra = map[string]float64{"sequences": float64(s.sequences), "prefill_tokens_per_second": median(prefill.rates[s.warm:])}
	return nil
}

// repeat times warm and measured runs of f, each of which handles so many
// tokens.
func (s *settings) repeat(tokens int, f func() error) (*clock, error) {
	c := &clock{}
	for range s.warm + s.steps {
		c.start()
		if err := f(); err != nil {
			return nil, err
		}
		c.stop(tokens)
	}
	return c, nil
}

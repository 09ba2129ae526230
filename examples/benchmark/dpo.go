package main

import (
	"context"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/tensor"
)

// The longest prompt, and prompt with answer, of bench/b_dpo.py; what is longer is
// cut.
const (
	longestPrompt = 256
	longestText   = 508
)

// measureDPO times optimizer steps of DPO on -pairs comparisons, the reference's
// forward pass included: with an adapter it is the model without it, with -full
// log-probabilities that are computed before the first step. Tokens count the prompt
// of a comparison twice, as in programs that compute it twice.
func measureDPO(ctx context.Context, s *settings, r *result) error {
	m, err := s.open()
	if err != nil {
		return err
	}
	p := dpo.Policy{Model: m}
	if p.Adapter, err = s.adapter(m); err != nil {
		return err
	}
	var pairs []dpo.Pair
	err = s.pairIDs(m.Config().VocabSize, func(prompt, chosen, rejected []int32) {
		prompt = prompt[:min(len(prompt), longestPrompt)]
		room := longestText - len(prompt)
		pairs = append(pairs, dpo.Pair{Prompt: prompt, Chosen: chosen[:min(len(chosen), room)], Rejected: rejected[:min(len(rejected), room)]})
	})
	if err != nil {
		return err
	}
	src, err := dpo.NewBatcher(pairs, dpo.BatchOptions{PairsPerStep: s.pairs, TokensPerMicro: max(1024, s.microTokens), Separate: s.separate, Seed: s.seed})
	if err != nil {
		return err
	}
	o := dpo.Options{Recompute: s.recompute, Device: s.device(), Debug: tensor.Debug{Timing: s.profile}}
	t, err := dpo.New(p, src, o, s.loop(1e-5))
	if err != nil {
		return err
	}
	return s.timePairs(ctx, t, r)
}

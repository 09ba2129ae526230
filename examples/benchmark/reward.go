package main

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// pairLengths are the tokens of prompt, chosen and rejected answer, end token
// included, of the first 64 rows of dpo_en_demo under the tokenizer of Qwen, at
// most 501 of prompt and answer together: the rows of bench/b_reward.py.
//
//go:embed pairs.txt
var pairLengths string

// pairIDs calls f with random ids in the lengths of real comparisons: speed does
// not depend on which tokens they are.
func (s *settings) pairIDs(vocab int, f func(prompt, chosen, rejected []int32)) error {
	r := rand.New(rand.NewPCG(s.seed, 4))
	ids := func(n int) []int32 {
		list := make([]int32, n)
		for i := range list {
			list[i] = r.Int32N(int32(vocab))
		}
		return list
	}
	for lines := bufio.NewScanner(strings.NewReader(pairLengths)); lines.Scan(); {
		var prompt, chosen, rejected int
		if _, err := fmt.Sscan(lines.Text(), &prompt, &chosen, &rejected); err != nil {
			return err
		}
		f(ids(prompt), ids(chosen), ids(rejected))
	}
	return nil
}

// net is a reward model with a fresh head, and an adapter unless -full.
func (s *settings) net() (n reward.Net, err error) {
	if n.Model, err = s.open(); err != nil {
		return n, err
	}
	if n.Head, err = model.NewHead(n.Model, model.SequenceClassification, nil, s.seed); err != nil {
		return n, err
	}
	n.Adapter, err = s.adapter(n.Headed())
	return n, err
}

// measureReward times optimizer steps of a reward model on -pairs comparisons.
// Tokens count the prompt of a comparison twice, as in programs that compute it
// twice.
func measureReward(ctx context.Context, s *settings, r *result) error {
	n, err := s.net()
	if err != nil {
		return err
	}
	var groups []reward.Group
	err = s.pairIDs(n.Model.Config().VocabSize, func(prompt, chosen, rejected []int32) {
		groups = append(groups, reward.Group{Prompt: prompt, Answers: []reward.Candidate{{IDs: chosen}, {IDs: rejected}}})
	})
	if err != nil {
		return err
	}
	src, err := reward.NewBatcher(groups, reward.BatchOptions{GroupsPerStep: s.pairs, TokensPerMicro: max(1024, s.microTokens), Separate: s.separate, Seed: s.seed})
	if err != nil {
		return err
	}
	o := reward.Options{Recompute: s.recompute, Device: s.device(), Debug: tensor.Debug{Timing: s.profile}}
	t, err := reward.New(n, src, o, s.loop(1e-5))
	if err != nil {
		return err
	}
	return s.timePairs(ctx, t, r)
}

// timePairs times the steps of a trainer that learns from -pairs comparisons at a
// time.
func (s *settings) timePairs(ctx context.Context, t trainer, r *result) error {
	if err := s.timeSteps(ctx, t, r); err != nil {
		return err
	}
	r.Extra = map[string]float64{"pairs_per_second": float64(s.pairs) / r.StepSeconds}
	return nil
}

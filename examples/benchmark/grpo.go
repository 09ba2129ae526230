package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// A rollout of bench/b_grpo.py: questions of the first GSM8K rows, answered several
// times by as many tokens each.
const (
	grpoRows        = 64
	grpoPrompts     = 4
	grpoCompletions = 8
)

// shares are the parts of a step whose share of its time is told.
var shares = []string{"generation", "scoring", "training"}

// measureGRPO times optimizer steps of GRPO, each with a rollout of its own: 4 prompts
// of real lengths and random ids, 8 completions of 64 tokens each, which no
// end token cuts short. The reward differs within a group and costs nothing. Tokens
// count the prompt of a completion every time, as in programs that compute it every
// time.
func measureGRPO(ctx context.Context, s *settings, r *result) error {
	m, err := s.open()
	if err != nil {
		return err
	}
	p := rlhf.Policy{Model: m}
	if p.Adapter, err = s.adapter(m); err != nil {
		return err
	}
	prompts, err := s.prompts(m.Config().VocabSize)
	if err != nil {
		return err
	}
	o := rlhf.Options{
		Objective: rlhf.Objective{Policy: rlhf.DAPO{}},
		Rollout:   rollout.Options{Prompts: grpoPrompts, Completions: grpoCompletions, Seed: s.seed},
		Generate:  generate.Options{MaxTokens: newTokens, IgnoreEOS: true},
		// One group of completions and its prompt.
		MicroTokens: max(1024, s.microTokens), Recompute: s.recompute, Device: s.device(), Debug: tensor.Debug{Timing: s.profile},
	}
	varied := rollout.Each("varied", func(_ context.Context, c *rollout.Completion) (float64, error) {
		sum := int32(0)
		for _, t := range c.Tokens {
			sum = (sum + t.ID) % 97
		}
		return float64(sum) / 97, nil
	})
	t, err := rlhf.New(p, prompts, []rollout.Reward{{By: varied}}, o, s.loop(1e-6))
	if err != nil {
		return err
	}
	defer t.Close()
	timed := map[string][]float64{}
	note := func(step train.Step) {
		for _, name := range shares {
			v, _ := step.Timing.Value("time_share/" + name)
			timed[name] = append(timed[name], v)
		}
	}
	if err := s.timeStepsWith(ctx, t, r, note); err != nil {
		return err
	}
	r.Extra = map[string]float64{"completion_tokens": grpoPrompts * grpoCompletions * newTokens}
	for _, name := range shares {
		r.Extra[name+"_share"] = median(timed[name][s.warm:])
	}
	return nil
}

// prompts are random ids in the lengths of the first questions of GSM8K.
func (s *settings) prompts(vocab int) ([]rollout.Prompt, error) {
	r := rand.New(rand.NewPCG(s.seed, 5))
	var list []rollout.Prompt
	for lines := bufio.NewScanner(strings.NewReader(lengths)); lines.Scan() && len(list) < grpoRows; {
		var n, answer int
		if _, err := fmt.Sscan(lines.Text(), &n, &answer); err != nil {
			return nil, err
		}
		p := rollout.Prompt{IDs: make([]int32, n)}
		for i := range p.IDs {
			p.IDs[i] = r.Int32N(int32(vocab))
		}
		list = append(list, p)
	}
	return list, nil
}

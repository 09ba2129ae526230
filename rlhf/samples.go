package rlhf

import (
	"context"
	"math"

	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// shown is a train.Sampler: completions to the first prompts of the rollout that is
// learnt from, the best and the worst of each, with the parts of their reward and their advantage, and what the caller's
// own sampler gives.
type shown struct {
	stage *stage
	next  train.Sampler
}

// Sample implements train.Sampler.
func (s shown) Sample(ctx context.Context) ([]train.Sample, error) {
	var list []train.Sample
	if r := s.stage.roll; r != nil {
		for _, c := range extremes(r.Completions, s.stage.opts.Samples) {
			list = append(list, sample(c, r.Names))
		}
	}
	if s.next == nil {
		return list, nil
	}
	more, err := s.next.Sample(ctx)
	return append(list, more...), err
}

// extremes are at most n completions: the best and the worst of each group, where
// they differ, group after group.
func extremes(list []*rollout.Completion, n int) []*rollout.Completion {
	var out []*rollout.Completion
	for i := 0; i < len(list) && len(out) < n; {
		best, worst := list[i], list[i]
		group := list[i].Group
		for ; i < len(list) && list[i].Group == group; i++ {
			if list[i].Reward > best.Reward || math.IsNaN(best.Reward) {
				best = list[i]
			}
			if list[i].Reward < worst.Reward || math.IsNaN(worst.Reward) {
				worst = list[i]
			}
		}
		if out = append(out, best); worst != best && len(out) < n {
			out = append(out, worst)
		}
	}
	return out
}

// sample is a completion for people.
func sample(c *rollout.Completion, names []string) train.Sample {
	x := train.Sample{Prompt: c.Prompt.Text, Completion: c.Text, Reference: c.Prompt.Reference, Finish: "stop", Scores: map[string]float64{}}
	if c.Truncated() {
		x.Finish = "length"
	}
	set := func(name string, v float64) {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			x.Scores[name] = v
		}
	}
	for k, name := range names {
		set("rewards/"+name, c.Rewards[k])
	}
	set("reward", c.Reward)
	if n := len(c.Advantages); n > 0 {
		sum := 0.0
		for _, a := range c.Advantages {
			sum += a
		}
		set("advantage", sum/float64(n))
	}
	return x
}

package rlhf

import (
	"context"
	"math"

	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// shown is a train.Sampler: the first completions of the rollout that is learnt
// from, with the parts of their reward and their advantage, and what the caller's
// own sampler gives.
type shown struct {
	stage *stage
	next  train.Sampler
}

// Sample implements train.Sampler.
func (s shown) Sample(ctx context.Context) ([]train.Sample, error) {
	var list []train.Sample
	if r := s.stage.roll; r != nil {
		for _, c := range r.Completions[:min(len(r.Completions), max(0, s.stage.opts.Samples))] {
			list = append(list, sample(c, r.Names))
		}
	}
	if s.next == nil {
		return list, nil
	}
	more, err := s.next.Sample(ctx)
	return append(list, more...), err
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

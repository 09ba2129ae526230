package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/posttrain/posttrain/generate"
)

// Mixer gives the first tokens of each answer from the data and lets the policy go on:
// MIXER's way from teacher forcing to learning from rewards. The given tokens have the
// role Given; a trainer that is told to (rlhf.Taught) teaches them, and what the policy
// adds is paid for. An answer that is given whole is not sampled.
//
// Ranzato et al. 2016, arXiv:1511.06732, algorithm 1.
type Mixer struct {
	// Rest samples what follows. Its limit on tokens counts what it samples alone.
	Rest Sampler
	// Answer is the right answer to a prompt, end token included.
	Answer func(p *Prompt) []int32
	// Give is how many tokens are given once the policy has made so many optimizer
	// steps (advantage.MixerSchedule counts epochs).
	Give func(version int64) int
	// Decode is the text of ids, for rewarders that read text; nil leaves Text what
	// Rest says of its part.
	Decode func(ids []int32) string
}

// Sample implements Sampler.
func (m Mixer) Sample(ctx context.Context, r Request) ([]*Completion, error) {
	give := m.Give(r.Version)
	var open []*Prompt
	given := make([][]int32, len(r.Prompts))
	for i, p := range r.Prompts {
		answer := m.Answer(p)
		given[i] = answer[:max(0, min(give, len(answer)))]
		if len(given[i]) < len(answer) || len(answer) == 0 {
			q := *p
			q.IDs = slices.Concat(p.IDs, given[i])
			open = append(open, &q)
		}
	}
	var rest []*Completion
	if len(open) > 0 {
		inner := r
		inner.Prompts = open
		var err error
		if rest, err = m.Rest.Sample(ctx, inner); err != nil {
			return nil, err
		}
		if len(rest) != len(open)*r.Completions {
			return nil, fmt.Errorf("rollout: Mixer: got %d completions, want %d", len(rest), len(open)*r.Completions)
		}
	}
	var list []*Completion
	for i, p := range r.Prompts {
		whole := len(given[i]) == len(m.Answer(p)) && len(given[i]) > 0
		for range r.Completions {
			c := &Completion{Finish: generate.FinishEOS}
			if !whole {
				c, rest = rest[0], rest[1:]
			}
			list = append(list, m.lead(c, given[i], r.Version))
		}
	}
	return list, nil
}

// lead puts the given tokens before what was sampled.
func (m Mixer) lead(c *Completion, given []int32, version int64) *Completion {
	tokens := make([]Token, 0, len(given)+len(c.Tokens))
	for _, id := range given {
		tokens = append(tokens, Token{ID: id, Role: Given, Version: version})
	}
	c.Tokens = append(tokens, c.Tokens...)
	if m.Decode != nil {
		c.Text = m.Decode(c.IDs())
	}
	return c
}

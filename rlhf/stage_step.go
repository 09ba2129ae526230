package rlhf

import (
	"fmt"
	"slices"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// choose selects the completions of the next step and lays them out.
func (s *stage) choose() error {
	all := s.roll.Completions
	iteration, part := s.at/s.opts.StepsPerGeneration, s.at%s.opts.StepsPerGeneration
	if !s.opts.Sequential {
		all = shuffled(all, s.opts.Rollout.Seed, uint64(s.roll.Number)<<16+uint64(iteration))
	}
	n := s.opts.StepsPerGeneration
	s.rows = all[part*len(all)/n : (part+1)*len(all)/n]
	if len(s.rows) == 0 {
		return fmt.Errorf("rlhf: rollout %d has %d completions, want one for each of %d steps", s.roll.Number, len(all), n)
	}
	if s.layout.whole {
		if lo, hi := part*len(all)/n, (part+1)*len(all)/n; lo > 0 && all[lo-1].Group == all[lo].Group || hi < len(all) && all[hi-1].Group == all[hi].Group {
			return fmt.Errorf("rlhf: rollout %d: step %d of %d would get a part of a group, want whole ones with the loss %s (Options.StepsPerGeneration)", s.roll.Number, part, n, s.opts.Objective.Policy.Name())
		}
	}
	s.rows = s.lesson.add(slices.Clone(s.rows), s.count, s.opts.Rollout.Seed)
	var err error
	s.micro, err = s.layout.pack(s.micro, s.rows)
	return err
}

// shuffled puts the groups of a rollout into another order; completions of a group
// stay together.
func shuffled(list []*rollout.Completion, seed, epoch uint64) []*rollout.Completion {
	places := map[int64]int{}
	var groups [][]*rollout.Completion
	for _, c := range list {
		at, ok := places[c.Group]
		if !ok {
			at = len(groups)
			places[c.Group] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], c)
	}
	out := make([]*rollout.Completion, 0, len(list))
	for _, g := range data.Permutation(nil, len(groups), seed, epoch) {
		out = append(out, groups[g]...)
	}
	return out
}

// describe counts the step for the loop.
func (s *stage) describe(b *train.Batch) {
	s.totals = totals{groups: map[int64]float64{}}
	members := map[int64]float64{}
	b.Weights, b.Tokens = b.Weights[:0], 0
	unit := s.opts.Objective.Average().Denominator()
	for i := range s.micro {
		rows, tokens := 0.0, 0.0
		for _, c := range s.micro[i].rows {
			if s.lesson.texts[c] {
				continue
			}
			n := float64(s.length(c))
			rows++
			tokens += n
			s.totals.groups[c.Group] += n
			members[c.Group]++
		}
		if unit == OverTokens {
			b.Weights = append(b.Weights, tokens)
		} else {
			b.Weights = append(b.Weights, rows)
		}
		b.Tokens += s.micro[i].texts
		s.totals.rows += rows
		s.totals.tokens += tokens
	}
	for g, n := range members {
		s.totals.groups[g] = max(1, s.totals.groups[g]/n)
	}
	s.lesson.weigh(s.rows, s.count-1, sum(b.Weights))
	b.Epoch = s.before + (s.roll.Epoch-s.before)*float64(s.at)/float64(s.opts.steps())
}

func sum(list []float64) float64 {
	total := 0.0
	for _, v := range list {
		total += v
	}
	return total
}

// length is the number of tokens of a completion that count.
func (s *stage) length(c *rollout.Completion) int {
	n := 0
	for t := range c.Tokens {
		if s.counts(c, t) {
			n++
		}
	}
	return n
}

// mask is 1 for the tokens of a completion that are learnt from and 0 for others.
func (s *stage) mask(c *rollout.Completion) []float64 {
	mask := make([]float64, len(c.Tokens))
	for t := range mask {
		if s.counts(c, t) {
			mask[t] = 1
		}
	}
	return mask
}

// keepUnsure marks the tokens of the step at which the policy is least sure.
func (s *stage) keepUnsure() error {
	if s.unsure == nil {
		return nil
	}
	s.kept = map[*rollout.Completion][]float64{}
	if err := s.unsure.score(&s.layout, s.rows, func(c *rollout.Completion, values []float64) { s.kept[c] = values }); err != nil {
		return err
	}
	var entropies, mask []float64
	for _, c := range s.rows {
		entropies, mask = append(entropies, s.kept[c]...), append(mask, s.mask(c)...)
	}
	keep := advantage.TopEntropy(entropies, mask, s.opts.TopEntropy)
	for _, c := range s.rows {
		s.kept[c], keep = keep[:len(c.Tokens):len(c.Tokens)], keep[len(c.Tokens):]
	}
	return nil
}

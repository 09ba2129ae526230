package rlhf

import (
	"math"

	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// bookRollout logs what the policy said and what it was given for it, once a
// rollout. Rewards that are not known are left out; so is a name without any.
func (s *stage) bookRollout(m *train.Metrics) {
	r := s.roll
	bookLengths(m, r.Completions)
	m.Set("completions/repetition", repetition(r.Completions))
	s.bookDistance(m)
	s.opts.Constraints.book(m, &s.control)
	for k, name := range r.Names {
		values := func(c *rollout.Completion) float64 { return c.Rewards[k] }
		bookRewards(m, "rewards/"+name+"/mean", "rewards/"+name+"/std", r.Completions, values)
		unknown := 0.0
		for _, c := range r.Completions {
			if math.IsNaN(c.Rewards[k]) {
				unknown++
			}
		}
		m.Set("rewards/"+name+"/unknown", unknown/float64(len(r.Completions)))
	}
	bookRewards(m, "reward", "reward_std", r.Completions, func(c *rollout.Completion) float64 { return c.Reward })
	m.Set("frac_reward_zero_std", flat(r.Completions))
	if s.opts.Rollout.MaxRounds > 1 {
		m.Set("sampling/rounds", float64(r.Rounds))
		m.Set("sampling/skipped_groups", float64(r.Skipped))
	}
	if s.opts.Rollout.Replay > 0 {
		m.Set("sampling/replayed_groups", float64(r.Reused))
	}
	if s.opts.Correction.Mode != advantage.NoCorrection {
		m.Set("sampling/kept", s.corrected.kept)
	}
	if len(r.Faults) > 0 {
		m.Set("rewards/faults", float64(len(r.Faults)))
	}
}

// bookRewards logs the mean and the standard deviation, with n−1, of the known
// ones.
func bookRewards(m *train.Metrics, mean, std string, list []*rollout.Completion, value func(c *rollout.Completion) float64) {
	sum, n := 0.0, 0.0
	for _, c := range list {
		if v := value(c); !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return
	}
	m.Set(mean, sum/n)
	squares := 0.0
	for _, c := range list {
		if v := value(c); !math.IsNaN(v) {
			squares += (v - sum/n) * (v - sum/n)
		}
	}
	m.Set(std, math.Sqrt(squares/math.Max(1, n-1)))
}

// flat is the share of groups whose known rewards are all equal.
func flat(list []*rollout.Completion) float64 {
	type span struct{ low, high float64 }
	groups := map[int64]span{}
	for _, c := range list {
		g, ok := groups[c.Group]
		if !ok {
			g = span{math.Inf(1), math.Inf(-1)}
		}
		if !math.IsNaN(c.Reward) {
			g.low, g.high = math.Min(g.low, c.Reward), math.Max(g.high, c.Reward)
		}
		groups[c.Group] = g
	}
	n := 0.0
	for _, g := range groups {
		if g.low >= g.high {
			n++
		}
	}
	return n / float64(len(groups))
}

// bookLengths logs lengths in tokens, of all completions and of those that ended by
// themselves.
func bookLengths(m *train.Metrics, list []*rollout.Completion) {
	var all, ended []float64
	for _, c := range list {
		n := float64(len(c.Tokens))
		all = append(all, n)
		if !c.Truncated() {
			ended = append(ended, n)
		}
	}
	mean, least, most := extent(all)
	m.Set("completions/mean_length", mean)
	m.Set("completions/min_length", least)
	m.Set("completions/max_length", most)
	m.Set("completions/clipped_ratio", 1-float64(len(ended))/float64(len(all)))
	mean, least, most = extent(ended)
	m.Set("completions/mean_terminated_length", mean)
	m.Set("completions/min_terminated_length", least)
	m.Set("completions/max_terminated_length", most)
}

// repetition is the share of runs of four tokens that stand earlier in the same
// completion, mean over completions that have any.
func repetition(list []*rollout.Completion) float64 {
	const width = 4
	total, n := 0.0, 0.0
	for _, c := range list {
		seen, again := map[[width]int32]bool{}, 0.0
		for t := width; t <= len(c.Tokens); t++ {
			var run [width]int32
			for k := range run {
				run[k] = c.Tokens[t-width+k].ID
			}
			if seen[run] {
				again++
			}
			seen[run] = true
		}
		if runs := len(c.Tokens) - width + 1; runs > 0 {
			total += again / float64(runs)
			n++
		}
	}
	return total / max(1, n)
}

// extent is the mean, the least and the most of a list; 0 for none, as in TRL.
func extent(list []float64) (mean, least, most float64) {
	if len(list) == 0 {
		return 0, 0, 0
	}
	least, most = list[0], list[0]
	for _, v := range list {
		mean += v / float64(len(list))
		least, most = math.Min(least, v), math.Max(most, v)
	}
	return mean, least, most
}

package rollout

import (
	"math"
	"slices"
)

// spread is the standard deviation of the known rewards, with n−1; 0 with fewer
// than two, and exactly 0 where all are equal.
func spread(list []*Completion) float64 {
	var sum, n float64
	first, equal := math.NaN(), true
	for _, c := range list {
		if math.IsNaN(c.Reward) {
			continue
		}
		if n == 0 {
			first = c.Reward
		}
		equal = equal && c.Reward == first
		sum += c.Reward
		n++
	}
	if n < 2 || equal {
		return 0
	}
	var squares float64
	for _, c := range list {
		if !math.IsNaN(c.Reward) {
			squares += (c.Reward - sum/n) * (c.Reward - sum/n)
		}
	}
	return math.Sqrt(squares / (n - 1))
}

// remember puts fresh groups with spread into the replay buffer and keeps those
// with the largest spread, of equal ones the newest.
func (c *Collector) remember(groups []*group) {
	if c.opts.Replay == 0 {
		return
	}
	for _, g := range groups {
		if g.spread > 0 && !slices.ContainsFunc(c.buffer, func(b *group) bool { return sameGroup(b, g) }) {
			c.buffer = append(c.buffer, g)
		}
	}
	slices.SortStableFunc(c.buffer, func(a, b *group) int {
		switch {
		case a.spread > b.spread:
			return -1
		case a.spread < b.spread:
			return 1
		}
		return int(min(1, max(-1, b.list[0].version()-a.list[0].version())))
	})
	c.buffer = c.buffer[:min(len(c.buffer), c.opts.Replay)]
}

// sameGroup says whether one group is a replay of the other: they share the
// memory of their tokens.
func sameGroup(a, b *group) bool {
	x, y := a.list[0].Tokens, b.list[0].Tokens
	return len(x) > 0 && len(y) > 0 && &x[0] == &y[0]
}

// version is that of the policy that began the completion.
func (c *Completion) version() int64 {
	if len(c.Tokens) == 0 {
		return 0
	}
	return c.Tokens[0].Version
}

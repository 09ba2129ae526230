package feedback

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/rlhf/rollout"
)

// WinRateOptions control WinRate.
type WinRateOptions struct {
	// Opponents is the number of other completions of the group that each is compared
	// with, the next ones in the group's circle (and so by as many that come before
	// it); 0 means all. A group of G costs 2·G·Opponents questions, at most G·(G−1).
	Opponents int `json:"opponents,omitempty"`
	// Principles and Seed are as in LabelOptions.
	Principles []string `json:"principles,omitempty"`
	Seed       uint64   `json:"seed,omitempty"`
}

// WinRate makes a rewarder of a judge: a completion's reward is the mean probability,
// asked in both orders, that it is better than the others of its group. It is
// unknown where the judge knows of no comparison, or the group has no other.
//
// Equal texts are even and not asked about. Lee et al. 2023, arXiv:2309.00267, let the
// judge score an answer by itself (direct RLAIF); comparing needs no scale.
func WinRate(j Judge, o WinRateOptions) (rollout.Rewarder, error) {
	if o.Opponents < 0 {
		return nil, fmt.Errorf("feedback: WinRateOptions.Opponents: got %d, want at least 1, or 0 for all", o.Opponents)
	}
	if err := (LabelOptions{Principles: o.Principles}).Validate(); err != nil {
		return nil, err
	}
	return winRate{j, o}, nil
}

type winRate struct {
	judge Judge
	opts  WinRateOptions
}

// Name implements rollout.Rewarder.
func (w winRate) Name() string { return w.judge.Name() }

// meeting is two completions that are compared.
type meeting struct {
	a, b int
	duel int // place of the question; -1 for equal texts
}

// Rewards implements rollout.Rewarder.
func (w winRate) Rewards(ctx context.Context, list []rollout.Completion) ([]float64, error) {
	var order []int64
	groups := map[int64][]int{}
	for i := range list {
		id := list[i].Group
		if groups[id] == nil {
			order = append(order, id)
		}
		groups[id] = append(groups[id], i)
	}
	var meetings []meeting
	var duels []Duel
	for _, id := range order {
		for _, m := range w.pairs(groups[id]) {
			a, b := &list[m.a], &list[m.b]
			if m.duel = -1; a.Text != b.Text {
				m.duel = len(duels)
				duels = append(duels, Duel{a.Prompt.Text, a.Prompt.Reference, a.Text, b.Text, draw(w.opts.Principles, w.opts.Seed, len(duels), 0)})
			}
			meetings = append(meetings, m)
		}
	}
	opinions, err := BothOrders(ctx, w.judge, duels)
	if err != nil {
		return nil, err
	}
	return average(len(list), meetings, opinions), nil
}

// pairs lists who of a group meets whom, each pair once.
func (w winRate) pairs(members []int) (list []meeting) {
	n := len(members)
	reach := n - 1
	if w.opts.Opponents > 0 {
		reach = min(reach, w.opts.Opponents)
	}
	met := map[[2]int]bool{}
	for a := range n {
		for step := 1; step <= reach; step++ {
			b := (a + step) % n
			if met[[2]int{b, a}] || a == b {
				continue
			}
			met[[2]int{a, b}] = true
			list = append(list, meeting{a: members[a], b: members[b]})
		}
	}
	return list
}

// average is the mean over each one's meetings.
func average(n int, meetings []meeting, opinions []Opinion) []float64 {
	won, met := make([]float64, n), make([]float64, n)
	for _, m := range meetings {
		first := 0.5
		if m.duel >= 0 {
			if !opinions[m.duel].known() {
				continue
			}
			first = opinions[m.duel].First
		}
		won[m.a] += first
		won[m.b] += 1 - first
		met[m.a]++
		met[m.b]++
	}
	for i := range won {
		if won[i] /= met[i]; met[i] == 0 {
			won[i] = rollout.Unknown()
		}
	}
	return won
}

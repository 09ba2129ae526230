package feedback

import (
	"context"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// Case is a prompt with answers to compare.
type Case struct {
	Prompt    string     `json:"prompt"`
	Reference string     `json:"reference,omitempty"`
	Answers   []string   `json:"answers"`
	At        data.Place `json:"at"`
}

// Cases are the groups of a rollout, in order.
func Cases(r *rollout.Rollout) []Case {
	var list []Case
	place := map[int64]int{}
	for _, c := range r.Completions {
		at, ok := place[c.Group]
		if !ok {
			at = len(list)
			place[c.Group] = at
			list = append(list, Case{Prompt: c.Prompt.Text, Reference: c.Prompt.Reference, At: c.Prompt.At})
		}
		list[at].Answers = append(list[at].Answers, c.Text)
	}
	return list
}

// Preference is a labelled comparison.
type Preference struct {
	Prompt   string     `json:"prompt"`
	Chosen   string     `json:"chosen"`
	Rejected string     `json:"rejected"`
	P        float64    `json:"p"` // that Chosen is better, above ½: the soft label
	At       data.Place `json:"at"`
}

// Row is the preference for reward models and dpo, without its soft label.
func (p Preference) Row() data.PairRow {
	return data.PairRow{At: p.At, Prompt: p.Prompt, Chosen: p.Chosen, Rejected: p.Rejected}
}

// LabelOptions control Label. The zero value compares every two different answers
// of a case and keeps all that are not even.
type LabelOptions struct {
	// MinGap drops comparisons with P at most ½ + MinGap.
	MinGap float64 `json:"min_gap,omitempty"`
	// Consistent drops comparisons that the order turned.
	Consistent bool `json:"consistent,omitempty"`
	// Principles are what better means; each comparison is under one, drawn by
	// chance. None leaves that to the judge.
	Principles []string `json:"principles,omitempty"`
	Seed       uint64   `json:"seed,omitempty"`
}

// Validate reports faulty options.
func (o LabelOptions) Validate() error {
	var faults []error
	if !(o.MinGap >= 0 && o.MinGap < 0.5) {
		faults = append(faults, fmt.Errorf("feedback: LabelOptions.MinGap: got %g, want 0 to below 0.5", o.MinGap))
	}
	for i, p := range o.Principles {
		if p == "" {
			faults = append(faults, fmt.Errorf("feedback: LabelOptions.Principles[%d]: got none, want a text", i))
		}
	}
	return errors.Join(faults...)
}

// LabelStats count what became of comparisons.
type LabelStats struct {
	Compared   int // pairs of answers, each in both orders
	Unknown    int // without an opinion
	Consistent int // the order did not matter
	Even       int // dropped by MinGap, or because neither was better
	Turned     int // dropped by Consistent
	Kept       int
	Place      float64 // sum over those with an opinion of Opinion.Place
}

// PlaceBias is the mean liking for the answer shown first, from −½ to ½.
func (s LabelStats) PlaceBias() float64 { return share(s.Place, s.Compared-s.Unknown) }

// Measure logs them.
func (s LabelStats) Measure(m *train.Metrics) {
	m.Set("judge/compared", float64(s.Compared))
	m.Set("judge/kept", float64(s.Kept))
	m.Set("judge/unknown", float64(s.Unknown))
	m.Set("judge/swap_consistency", share(float64(s.Consistent), s.Compared-s.Unknown))
	m.Set("judge/place_bias", s.PlaceBias())
}

func share(sum float64, n int) float64 {
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// Label asks a judge about every two different answers of each case, in both orders.
func Label(ctx context.Context, j Judge, cases []Case, o LabelOptions) ([]Preference, LabelStats, error) {
	var stats LabelStats
	if err := o.Validate(); err != nil {
		return nil, stats, err
	}
	var duels []Duel
	var from []int
	for i, c := range cases {
		for b := range c.Answers {
			for a := range b {
				if c.Answers[a] == c.Answers[b] {
					continue
				}
				duels = append(duels, Duel{c.Prompt, c.Reference, c.Answers[a], c.Answers[b], draw(o.Principles, o.Seed, len(duels), 0)})
				from = append(from, i)
			}
		}
	}
	opinions, err := BothOrders(ctx, j, duels)
	if err != nil {
		return nil, stats, err
	}
	var list []Preference
	for i, p := range opinions {
		if stats.count(p, o) {
			c := cases[from[i]]
			x := Preference{c.Prompt, duels[i].First, duels[i].Second, p.First, c.At}
			if p.First < 0.5 {
				x.Chosen, x.Rejected, x.P = x.Rejected, x.Chosen, 1-p.First
			}
			list = append(list, x)
		}
	}
	return list, stats, nil
}

// count books an opinion and says whether it becomes a preference.
func (s *LabelStats) count(p Opinion, o LabelOptions) bool {
	s.Compared++
	if !p.known() {
		s.Unknown++
		return false
	}
	s.Place += p.Place
	if p.Consistent {
		s.Consistent++
	}
	switch {
	case max(p.First, 1-p.First) <= 0.5+o.MinGap:
		s.Even++
	case o.Consistent && !p.Consistent:
		s.Turned++
	default:
		s.Kept++
		return true
	}
	return false
}

// drawPurpose keys the choice of principles.
const drawPurpose = 0x434f4e53

// draw chooses one of list, the zero value of none.
func draw[T any](list []T, seed uint64, i, round int) (one T) {
	if len(list) == 0 {
		return one
	}
	w := kernel.Philox(seed, [4]uint32{uint32(i), uint32(round), 0, drawPurpose})
	return list[uint64(w[0])*uint64(len(list))>>32]
}

package rlhf

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// Taught adds supervised learning to each step: tokens that were given rather than
// sampled teach by their log-probability,
//
//	L + c·(mean of −log π over the given tokens of the step)
//
// They are those of Texts, for PPO-ptx, and the tokens of completions whose role is
// rollout.Given, for MIXER (rollout.Mixer). The zero value teaches nothing.
//
// Ouyang et al. 2022, InstructGPT, arXiv:2203.02155, eq. 2, has c 27.8 beside a reward
// of its own scale. Ranzato et al. 2016, arXiv:1511.06732, has c 1.
type Taught struct {
	// Coef is c. With Fade it sinks linearly to 0 in so many steps, which is the
	// survey's λ(t)·L_MLE + (1−λ(t))·L_RL up to the scale of the whole.
	Coef float64 `json:"coef,omitempty"`
	Fade int     `json:"fade,omitempty"`
	// Texts are given whole, PerStep of them a step, in an order of its own in each
	// pass over them; 0 means 8. Every token of a completion is taught; end tokens
	// are not added.
	Texts   []Text `json:"-"`
	PerStep int    `json:"per_step,omitempty"`
}

// Text is a prompt, of one token at least, with its completion.
type Text struct{ Prompt, Completion []int32 }

// Validate reports all that is wrong.
func (t Taught) Validate() error {
	var faults []error
	if !(t.Coef >= 0) || math.IsInf(t.Coef, 0) || t.Fade < 0 || t.PerStep < 0 {
		faults = append(faults, fmt.Errorf("rlhf: Taught: got Coef %g, Fade %d and PerStep %d, want finite numbers of at least 0", t.Coef, t.Fade, t.PerStep))
	}
	if t.Coef == 0 && len(t.Texts) > 0 {
		faults = append(faults, fmt.Errorf("rlhf: Taught.Coef: got 0 with %d texts, want more", len(t.Texts)))
	}
	for i, x := range t.Texts {
		if len(x.Prompt) == 0 || len(x.Completion) == 0 {
			faults = append(faults, fmt.Errorf("rlhf: Taught.Texts: text %d has %d tokens of prompt and %d of completion, want one of each at least", i, len(x.Prompt), len(x.Completion)))
		}
		if len(faults) == maxFaults {
			break
		}
	}
	return errors.Join(faults...)
}

// perStep is the number of texts of a step.
func (t Taught) perStep() int {
	if t.PerStep == 0 {
		return min(8, len(t.Texts))
	}
	return min(t.PerStep, len(t.Texts))
}

// coef is c in a step, counted from 0.
func (t Taught) coef(step uint64) float64 {
	if t.Fade == 0 {
		return t.Coef
	}
	return t.Coef * math.Max(0, 1-float64(step)/float64(t.Fade))
}

// longest is the tokens of the longest text.
func (t Taught) longest() int {
	n := 0
	for _, x := range t.Texts {
		n = max(n, len(x.Prompt)+len(x.Completion))
	}
	return n
}

// fingerprint identifies the texts.
func (t Taught) fingerprint() string {
	var list []rollout.Prompt
	for _, x := range t.Texts {
		list = append(list, rollout.Prompt{IDs: x.Prompt}, rollout.Prompt{IDs: x.Completion})
	}
	return fingerprint(list)
}

// lesson is what a step is taught.
type lesson struct {
	Taught
	rows  []*rollout.Completion // the texts as rows, none of whose tokens counts
	texts map[*rollout.Completion]bool
	order []int32 // of the texts in pass
	pass  uint64
	coef  float64                           // of the step
	of    map[*rollout.Completion][]float64 // of the step: what −log π weighs at each token
	loss  float64                           // Σ of −log π over the given tokens so far
	n     float64                           // given tokens of the step
}

// newLesson makes rows of the texts.
func newLesson(t Taught) lesson {
	l := lesson{Taught: t, texts: map[*rollout.Completion]bool{}}
	for i, x := range t.Texts {
		n := len(x.Completion)
		c := &rollout.Completion{
			Group: -1 - int64(i), Prompt: &rollout.Prompt{IDs: x.Prompt, At: data.Place{File: "Taught.Texts", Line: i + 1}}, Reward: rollout.Unknown(),
			Old: make([]float64, n), Ref: make([]float64, n), Advantages: make([]float64, n), Values: make([]float64, n), Returns: make([]float64, n),
		}
		for _, id := range x.Completion {
			c.Tokens = append(c.Tokens, rollout.Token{ID: id, Role: rollout.Given})
		}
		l.rows, l.texts[c] = append(l.rows, c), true
	}
	return l
}

// add appends the texts of a step, counted from 0.
func (l *lesson) add(rows []*rollout.Completion, step, seed uint64) []*rollout.Completion {
	n := uint64(len(l.rows))
	for i := range uint64(l.perStep()) {
		place := step*uint64(l.perStep()) + i
		if pass := place / n; l.order == nil || pass != l.pass {
			l.pass, l.order = pass, data.Permutation(l.order[:0], len(l.rows), seed, pass)
		}
		rows = append(rows, l.rows[l.order[place%n]])
	}
	return rows
}

// weigh says what each given token of a step weighs beside losses that are divided by
// denominator.
func (l *lesson) weigh(rows []*rollout.Completion, step uint64, denominator float64) {
	l.coef, l.loss, l.n, l.of = l.Taught.coef(step), 0, 0, map[*rollout.Completion][]float64{}
	given := make([][]float64, len(rows))
	for i, c := range rows {
		given[i] = make([]float64, len(c.Tokens))
		for t := range c.Tokens {
			if c.Tokens[t].Role == rollout.Given {
				given[i][t] = 1
				l.n++
			}
		}
	}
	for i, w := range advantage.Taught(given, l.coef, denominator) {
		l.of[rows[i]] = w
	}
}

// book adds a micro-batch's log-probabilities.
func (l *lesson) book(b *microBatch, logProb []float64) {
	at := 0
	for _, c := range b.rows {
		for t := range c.Tokens {
			if c.Tokens[t].Role == rollout.Given {
				l.loss -= logProb[at]
			}
			at++
		}
	}
}

// finish logs the loss and its weight.
func (l *lesson) finish(m *train.Metrics) {
	if l.Coef == 0 {
		return
	}
	m.Set("taught/coef", l.coef)
	if l.n > 0 {
		m.Set("taught/loss", l.loss/l.n)
	}
}

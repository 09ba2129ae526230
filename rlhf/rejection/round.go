package rejection

import (
	"slices"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// Example is a kept answer.
type Example struct {
	*rollout.Completion         // Prompt is the one without hint
	Key                 string  // what Options.Key said of it
	Hinted              bool    // it was sampled from a prompt with a hint
	PassRate            float64 // share of the prompt's samples without hint that were right
	Round               int     // counts from 0
}

// Round is what a pass over all prompts gave.
type Round struct {
	Number   int
	Examples []Example // in the order of the prompts
	Stats    Stats     // of this round, whatever Examples of earlier ones there are
}

// choose takes from each prompt what it may give.
func (c *Collector) choose(n int, all []asked) *Round {
	r := &Round{Number: n}
	for i := range all {
		a := &all[i]
		a.sort(c.opts.Prefer)
		kept := a.candidates[:min(len(a.candidates), c.quota(a))]
		rate := 0.0
		if a.stats.Sampled > 0 {
			rate = float64(a.stats.Accepted) / float64(a.stats.Sampled)
		}
		tokens := 0
		for _, x := range kept {
			r.Examples = append(r.Examples, Example{x.Completion, x.key, x.hinted, rate, n})
			tokens += len(x.Tokens)
		}
		r.Stats.add(a, len(kept), tokens)
	}
	return r
}

// sort brings candidates into the order in which they are kept.
func (a *asked) sort(p Preference) {
	slices.SortStableFunc(a.candidates, func(x, y candidate) int {
		switch {
		case p == Shortest:
			return len(x.Tokens) - len(y.Tokens)
		case p == Best && x.Reward > y.Reward:
			return -1
		case p == Best && x.Reward < y.Reward:
			return 1
		}
		return 0
	})
}

// union appends the examples of list whose answers are not among those before.
func union(before, list []Example) []Example {
	type answer struct {
		group int64
		key   string
	}
	seen := map[answer]bool{}
	out := slices.Clone(before)
	for _, e := range before {
		seen[answer{e.Group, e.Key}] = true
	}
	for _, e := range list {
		if !seen[answer{e.Group, e.Key}] {
			out = append(out, e)
		}
	}
	return out
}

// Dataset returns the examples token by token as they were sampled, for
// data.NewBatcher. What an environment said is read and never learnt.
func (r *Round) Dataset() (*data.Dataset, error) {
	set := &data.Dataset{}
	for _, e := range r.Examples {
		prompt := e.Prompt.IDs
		x := data.Example{IDs: slices.Concat(prompt, e.IDs()), Prompt: len(prompt), At: e.Prompt.At}
		x.Roles, x.Mask = make([]data.Role, len(x.IDs)), make([]bool, len(x.IDs))
		for i, t := range e.Tokens {
			if t.Role == rollout.Sampled {
				x.Roles[len(prompt)+i], x.Mask[len(prompt)+i] = data.RoleAnswer, true
			}
		}
		if err := set.Append(x); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// Rows returns the examples as texts, for files and for other policies with other
// tokenizers. Completions with a part that an environment said have no such form and
// are left out.
func (r *Round) Rows() []data.Row {
	var rows []data.Row
	for _, e := range r.Examples {
		if !slices.ContainsFunc(e.Tokens, func(t rollout.Token) bool { return t.Role != rollout.Sampled }) {
			rows = append(rows, data.Row{Shape: data.ShapePromptCompletion, Prompt: e.Prompt.Text, Completion: e.Text, At: e.Prompt.At})
		}
	}
	return rows
}

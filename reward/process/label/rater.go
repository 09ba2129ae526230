package label

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/process"
)

// Sampler finishes solutions. It should draw anew at every call.
type Sampler interface {
	// Continue returns, for each prefix, what it wrote behind the prefix each time.
	Continue(ctx context.Context, prefixes []process.Solution, times int) ([][]string, error)
}

// Task is a solution whose steps are to be labelled.
type Task struct {
	process.Solution
	Reference string            // the right answer, for the checker
	Columns   map[string]string // further columns of the row, for the checker
	At        data.Place
}

// Estimate is how many of the rollouts from behind a step were right.
type Estimate struct{ Right, Rollouts int }

// Soft is the share of right ones, an estimate of the probability that the policy
// still finds the answer (soft estimation, arXiv:2312.08935).
func (e Estimate) Soft() float64 { return float64(e.Right) / float64(e.Rollouts) }

// Hard is 1 if any was right, and else 0 (hard estimation).
func (e Estimate) Hard() float64 {
	if e.Right > 0 {
		return 1
	}
	return 0
}

// Cost counts what labels took.
type Cost struct {
	Rollouts int `json:"rollouts"` // solutions finished and checked
	Probes   int `json:"probes"`   // prefixes from which that was done
}

// Add adds another cost.
func (c *Cost) Add(d Cost) { c.Rollouts, c.Probes = c.Rollouts+d.Rollouts, c.Probes+d.Probes }

// Options say how much is asked of the sampler.
type Options struct {
	// Rollouts are made from behind each step; 0 means 8, as in both papers.
	Rollouts int
	// Together is the number of rollouts of a probe asked for at once; a search goes
	// on to the next probe as soon as one of them was right. 0 means all.
	Together int
	// Separator stands behind every step; "" means a line feed.
	Separator string
	// Right is the least reward of a right answer; 0 means ½.
	Right float64
}

func (o Options) withDefaults() Options {
	if o.Rollouts == 0 {
		o.Rollouts = 8
	}
	if o.Together == 0 {
		o.Together = o.Rollouts
	}
	if o.Separator == "" {
		o.Separator = "\n"
	}
	if o.Right == 0 {
		o.Right = 0.5
	}
	return o
}

// Rater labels steps.
type Rater struct {
	sampler Sampler
	checker reward.Verifier
	opts    Options
}

// New makes a Rater of a policy that finishes solutions and a checker of their
// answers.
func New(s Sampler, checker reward.Verifier, o Options) (*Rater, error) {
	var faults []error
	if s == nil || checker == nil {
		faults = append(faults, errors.New("label: New: got no Sampler or no checker, want both"))
	}
	if o.Rollouts < 0 || o.Together < 0 {
		faults = append(faults, fmt.Errorf("label: Options: got %d Rollouts and %d Together, want positive numbers, or 0 for the defaults", o.Rollouts, o.Together))
	}
	return &Rater{s, checker, o.withDefaults()}, errors.Join(faults...)
}

// Rate estimates every step of a task by rollouts from behind it (Math-Shepherd). The
// last step needs none: it is right if the solution's own answer is.
func (r *Rater) Rate(ctx context.Context, t Task) ([]Estimate, Cost, error) {
	if len(t.Steps) == 0 {
		return nil, Cost{}, fmt.Errorf("label: %v: got no steps, want one at least", t.At)
	}
	var prefixes []process.Solution
	for n := 1; n < len(t.Steps); n++ {
		prefixes = append(prefixes, t.prefix(n))
	}
	estimates, cost, err := r.roll(ctx, t, prefixes, r.opts.Rollouts)
	if err != nil {
		return nil, cost, err
	}
	right, err := r.right(ctx, t, t.prefix(len(t.Steps)), "")
	if err != nil {
		return nil, cost, err
	}
	whole := Estimate{Rollouts: 1}
	if right {
		whole.Right = 1
	}
	return append(estimates, whole), cost, nil
}

// prefix is the task's solution up to n steps.
func (t Task) prefix(n int) process.Solution {
	return process.Solution{Prompt: t.Prompt, Steps: t.Steps[:n:n]}
}

// roll finishes prefixes so many times and checks the answers.
func (r *Rater) roll(ctx context.Context, t Task, prefixes []process.Solution, times int) ([]Estimate, Cost, error) {
	if len(prefixes) == 0 {
		return nil, Cost{}, nil
	}
	texts, err := r.sampler.Continue(ctx, prefixes, times)
	if err != nil {
		return nil, Cost{}, fmt.Errorf("label: %v: rollouts: %w", t.At, err)
	}
	if len(texts) != len(prefixes) {
		return nil, Cost{}, fmt.Errorf("label: %v: got rollouts of %d prefixes, want those of %d", t.At, len(texts), len(prefixes))
	}
	estimates := make([]Estimate, len(prefixes))
	cost := Cost{Probes: len(prefixes)}
	for i, list := range texts {
		if len(list) != times {
			return nil, cost, fmt.Errorf("label: %v: got %d rollouts of a prefix, want %d", t.At, len(list), times)
		}
		for _, text := range list {
			right, err := r.right(ctx, t, prefixes[i], text)
			if err != nil {
				return nil, cost, err
			}
			if right {
				estimates[i].Right++
			}
			estimates[i].Rollouts++
			cost.Rollouts++
		}
	}
	return estimates, cost, nil
}

// right checks the answer of a prefix with what was written behind it.
func (r *Rater) right(ctx context.Context, t Task, prefix process.Solution, text string) (bool, error) {
	var s strings.Builder
	for i, step := range prefix.Steps {
		s.WriteString(step)
		if text != "" || i+1 < len(prefix.Steps) {
			s.WriteString(r.opts.Separator)
		}
	}
	s.WriteString(text)
	v, err := r.checker.Verify(ctx, reward.Sample{Prompt: t.Prompt, Completion: s.String(), Reference: t.Reference, Columns: t.Columns})
	if err != nil {
		return false, fmt.Errorf("label: %v: %w", t.At, err)
	}
	return v >= r.opts.Right, nil
}

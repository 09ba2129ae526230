package label

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/reward/process"
)

// FirstError is what a search found.
type FirstError struct {
	// Step is the first wrong step, from 0; the number of steps where the solution's
	// answer is right.
	Step int
	// Estimates are those of the steps that were probed; others have no rollouts.
	Estimates []Estimate
	Cost      Cost
}

// FirstError finds the first wrong step of a solution by binary search: a step from
// behind which a rollout is right has no mistake before it, and one from behind which
// none is, has. It takes ⌈log₂ n⌉ probes of n steps, where looking at each step takes
// as many as the mistake is far away. A solution with a right answer is believed
// without a probe.
//
// Luo et al. 2024, arXiv:2406.06592.
func (r *Rater) FirstError(ctx context.Context, t Task) (FirstError, error) {
	return r.search(ctx, t, func(good, bad int) int { return (good + bad) / 2 })
}

// FirstErrorInOrder does the same step by step from the first on: what to compare
// FirstError with.
func (r *Rater) FirstErrorInOrder(ctx context.Context, t Task) (FirstError, error) {
	return r.search(ctx, t, func(good, _ int) int { return good + 1 })
}

// search narrows the range between a number of steps that is good and one that is
// bad; next chooses what is probed between them.
func (r *Rater) search(ctx context.Context, t Task, next func(good, bad int) int) (FirstError, error) {
	f := FirstError{Step: len(t.Steps), Estimates: make([]Estimate, len(t.Steps))}
	if len(t.Steps) == 0 {
		return f, fmt.Errorf("label: %v: got no steps, want one at least", t.At)
	}
	right, err := r.right(ctx, t, t.prefix(len(t.Steps)), "")
	if right || err != nil {
		return f, err
	}
	good, bad := 0, len(t.Steps)
	for bad-good > 1 {
		n := next(good, bad)
		e, cost, err := r.probe(ctx, t, t.prefix(n))
		f.Cost.Add(cost)
		if err != nil {
			return f, err
		}
		f.Estimates[n-1] = e
		if e.Right > 0 {
			good = n
		} else {
			bad = n
		}
	}
	f.Step = bad - 1
	return f, nil
}

// probe makes rollouts until one is right or all are made.
func (r *Rater) probe(ctx context.Context, t Task, prefix process.Solution) (Estimate, Cost, error) {
	e, cost := Estimate{}, Cost{Probes: 1}
	for e.Rollouts < r.opts.Rollouts && e.Right == 0 {
		some, c, err := r.roll(ctx, t, []process.Solution{prefix}, min(r.opts.Together, r.opts.Rollouts-e.Rollouts))
		cost.Rollouts += c.Rollouts
		if err != nil {
			return e, cost, err
		}
		e.Right, e.Rollouts = e.Right+some[0].Right, e.Rollouts+some[0].Rollouts
	}
	return e, cost, nil
}

package rollout

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Rewarder scores completions: a verifier, a reward model, a judge.
type Rewarder interface {
	// Name identifies it in metrics: rewards/NAME/mean.
	Name() string
	// Rewards returns one number a completion; NaN where it knows none. It must
	// not write to the completions. An error means that no reward is known.
	Rewards(ctx context.Context, completions []Completion) ([]float64, error)
}

// Unknown is the reward of a completion of which none is known, None in TRL.
func Unknown() float64 { return math.NaN() }

// Each makes a rewarder of a function that scores one completion. An error of
// it leaves that completion's reward unknown and no other's. Any verifier of
// package reward fits:
//
//	rollout.Each(v.Name(), func(ctx context.Context, c *rollout.Completion) (float64, error) {
//		return v.Verify(ctx, reward.Sample{Prompt: c.Prompt.Text, Completion: c.Text, Reference: c.Prompt.Reference})
//	})
func Each(name string, score func(ctx context.Context, c *Completion) (float64, error)) Rewarder {
	return each{name, score}
}

type each struct {
	name  string
	score func(ctx context.Context, c *Completion) (float64, error)
}

// Name implements Rewarder.
func (e each) Name() string { return e.name }

// Rewards implements Rewarder. What failed is told in a PartialError.
func (e each) Rewards(ctx context.Context, list []Completion) ([]float64, error) {
	rewards := make([]float64, len(list))
	var partial PartialError
	for i := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := e.one(ctx, &list[i])
		if err != nil {
			r = Unknown()
			if partial.Count++; partial.First == nil {
				partial.First = err
			}
		}
		rewards[i] = r
	}
	if partial.Count > 0 {
		return rewards, &partial
	}
	return rewards, nil
}

// one turns a panic into an error of its completion alone.
func (e each) one(ctx context.Context, c *Completion) (r float64, err error) {
	defer func() {
		if x := recover(); x != nil {
			err = &panicError{x}
		}
	}()
	return e.score(ctx, c)
}

// PartialError says that some completions could not be scored; the rewards that
// come with it are good, NaN where there are none.
type PartialError struct {
	Count int   // completions without a reward
	First error // why, for the first of them
}

// Error implements error.
func (e *PartialError) Error() string {
	return fmt.Sprintf("rollout: %d completions not scored, the first: %v", e.Count, e.First)
}

// Unwrap is the first error.
func (e *PartialError) Unwrap() error { return e.First }

// panicError is a panic of a rewarder.
type panicError struct{ value any }

// Error implements error.
func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// Reward is a rewarder and how much it counts.
type Reward struct {
	By Rewarder
	// Weight multiplies its rewards in the sum; 0 means 1.
	Weight float64
	// Silent rewards are logged and do not count.
	Silent bool
	// Deadline bounds one call, for all completions of a round; 0 means none.
	Deadline time.Duration
}

// Counts is what the reward's numbers are multiplied by in the sum.
func (r Reward) Counts() float64 {
	switch {
	case r.Silent:
		return 0
	case r.Weight == 0:
		return 1
	}
	return r.Weight
}

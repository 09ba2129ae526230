package reward

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sample is a completion and what it is judged by.
type Sample struct {
	Prompt     string
	Completion string
	Reference  string            // the right answer, where the verifier needs one
	Columns    map[string]string // further columns of the dataset row
	Tokens     []int32           // ids of the completion; those that measure length need them
}

// Verifier gives a completion its reward. Verify is safe for concurrent use.
type Verifier interface {
	Name() string
	Verify(ctx context.Context, s Sample) (float64, error)
}

// Sentinel errors that Verify wraps.
var (
	// ErrReference: the sample lacks a reference that can be read.
	ErrReference = errors.New("no readable reference")
	// ErrOptions: the verifier itself is not set up right.
	ErrOptions = errors.New("bad verifier")
	// ErrTokens: the sample has a completion but no token ids.
	ErrTokens = errors.New("no token ids")
)

// rule is a verifier out of a function.
type rule struct {
	name  string
	check func(s Sample) (float64, error)
}

// Name is the name that metrics carry.
func (r rule) Name() string { return r.name }

// Verify runs the rule unless the context has ended, and drops a result that
// came after its deadline.
func (r rule) Verify(ctx context.Context, s Sample) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("reward: %s: %w", r.name, err)
	}
	value, err := r.check(s)
	if err == nil {
		err = ended(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("reward: %s: %w", r.name, err)
	}
	return value, nil
}

// ended is ctx.Err, but does not wait for the timer of a deadline to be served:
// on a busy machine that comes late.
func ended(ctx context.Context) error {
	if d, ok := ctx.Deadline(); ok && time.Until(d) <= 0 {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// Func makes a verifier of a function that is quick and keeps no state.
func Func(name string, check func(s Sample) (float64, error)) Verifier { return rule{name, check} }

// truth is a rule with the values 1 and 0.
func truth(name string, check func(s Sample) (bool, error)) Verifier {
	return rule{name, func(s Sample) (float64, error) {
		ok, err := check(s)
		if ok && err == nil {
			return 1, nil
		}
		return 0, err
	}}
}

// Deadline gives each call of a verifier at most d.
func Deadline(v Verifier, d time.Duration) Verifier { return deadline{v, d} }

type deadline struct {
	Verifier
	d time.Duration
}

// Verify calls the verifier with a context that ends after d.
func (v deadline) Verify(ctx context.Context, s Sample) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, v.d)
	defer cancel()
	return v.Verifier.Verify(ctx, s)
}

// Score verifies samples in order. It stops at the first error and names the
// sample.
func Score(ctx context.Context, v Verifier, samples []Sample) ([]float64, error) {
	rewards := make([]float64, len(samples))
	for i, s := range samples {
		r, err := v.Verify(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("sample %d: %w", i, err)
		}
		rewards[i] = r
	}
	return rewards, nil
}

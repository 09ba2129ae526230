package rollout

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// scorer asks rewarders, one after the other, and contains what they do wrong.
type scorer struct {
	rewards []Reward
	busy    []atomic.Bool // a call that was given up has not returned yet
}

func newScorer(rewards []Reward) *scorer {
	return &scorer{rewards: rewards, busy: make([]atomic.Bool, len(rewards))}
}

// names lists the rewarders.
func (s *scorer) names() []string {
	list := make([]string, len(s.rewards))
	for i := range s.rewards {
		list[i] = s.rewards[i].By.Name()
	}
	return list
}

// score fills Rewards and Reward of the completions and returns the faults. The
// error is that of ctx alone.
func (s *scorer) score(ctx context.Context, list []*Completion) ([]Fault, error) {
	for _, c := range list {
		c.Rewards = make([]float64, len(s.rewards))
	}
	var faults []Fault
	for k := range s.rewards {
		rewards, fault := s.ask(ctx, k, list)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("rollout: rewarder %s: %w", s.rewards[k].By.Name(), err)
		}
		infinite := 0
		for i, c := range list {
			c.Rewards[k] = Unknown()
			if rewards == nil {
				continue
			}
			if c.Rewards[k] = rewards[i]; math.IsInf(rewards[i], 0) {
				c.Rewards[k] = Unknown()
				infinite++
			}
		}
		if fault != nil {
			faults = append(faults, *fault)
		}
		if infinite > 0 {
			faults = append(faults, Fault{s.rewards[k].By.Name(), FaultInfinite, infinite, errors.New("got an infinite reward, want a finite number or NaN for none")})
		}
	}
	for _, c := range list {
		c.Reward = s.total(c.Rewards)
	}
	return faults, nil
}

// total is the weighted sum of the known rewards; NaN when none is known. A
// missing one counts as 0 beside others, as in TRL.
func (s *scorer) total(rewards []float64) float64 {
	sum, known := 0.0, false
	for k, r := range rewards {
		if math.IsNaN(r) || s.rewards[k].Silent {
			continue
		}
		sum += s.rewards[k].Counts() * r
		known = true
	}
	if !known {
		return Unknown()
	}
	return sum
}

// answer is what a call of a rewarder gave.
type answer struct {
	rewards []float64
	err     error
}

// ask calls one rewarder; rewards are nil when none is known.
func (s *scorer) ask(ctx context.Context, k int, list []*Completion) ([]float64, *Fault) {
	r := &s.rewards[k]
	fault := func(kind FaultKind, n int, err error) *Fault { return &Fault{r.By.Name(), kind, n, err} }
	if s.busy[k].Load() {
		return nil, fault(FaultBusy, len(list), errors.New("an earlier call has not returned"))
	}
	got, late := s.call(ctx, k, list)
	var partial *PartialError
	var panicked *panicError
	switch {
	case late:
		return nil, fault(FaultDeadline, len(list), fmt.Errorf("no answer within %v", r.Deadline))
	case errors.As(got.err, &partial) && len(got.rewards) == len(list):
		kind := FaultError
		if errors.As(partial.First, &panicked) {
			kind = FaultPanic
		}
		return got.rewards, fault(kind, partial.Count, partial.First)
	case errors.As(got.err, &panicked):
		return nil, fault(FaultPanic, len(list), got.err)
	case r.Deadline > 0 && errors.Is(got.err, context.DeadlineExceeded):
		return nil, fault(FaultDeadline, len(list), got.err)
	case got.err != nil:
		return nil, fault(FaultError, len(list), got.err)
	case len(got.rewards) != len(list):
		return nil, fault(FaultLength, len(list), fmt.Errorf("got %d rewards, want %d", len(got.rewards), len(list)))
	}
	return got.rewards, nil
}

// call runs the rewarder in a goroutine, so that one that hangs can be left
// behind. It is given copies: what it reads later, nobody writes to.
func (s *scorer) call(ctx context.Context, k int, list []*Completion) (a answer, late bool) {
	r := &s.rewards[k]
	copies := make([]Completion, len(list))
	for i, c := range list {
		copies[i] = *c
		copies[i].Rewards = nil
	}
	inner, timer := ctx, (<-chan time.Time)(nil)
	if r.Deadline > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeout(ctx, r.Deadline)
		defer cancel()
		t := time.NewTimer(r.Deadline + grace)
		defer t.Stop()
		timer = t.C
	}
	done := make(chan answer, 1)
	s.busy[k].Store(true)
	go func() {
		got := protected(inner, r.By, copies)
		s.busy[k].Store(false)
		done <- got
	}()
	select {
	case a = <-done:
		return a, false
	case <-timer:
		return answer{}, true
	case <-ctx.Done():
		return answer{err: ctx.Err()}, false
	}
}

// grace is what a rewarder has left, after its deadline, to notice that and to
// return.
const grace = 50 * time.Millisecond

// protected turns a panic into an error.
func protected(ctx context.Context, by Rewarder, list []Completion) (a answer) {
	defer func() {
		if x := recover(); x != nil {
			a = answer{err: &panicError{x}}
		}
	}()
	a.rewards, a.err = by.Rewards(ctx, list)
	return a
}

package rejection

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// Collector samples answers and keeps the right ones. It is not safe for concurrent
// use.
type Collector struct {
	prompts []rollout.Prompt
	sampler rollout.Sampler
	by      rollout.Rewarder
	opts    Options
}

// New makes a Collector. The sampler reads the policy's weights live.
func New(prompts []rollout.Prompt, s rollout.Sampler, by rollout.Rewarder, o Options) (*Collector, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if s == nil || by == nil {
		return nil, errors.New("rejection: New: got no sampler or no rewarder, want both")
	}
	if len(prompts) == 0 {
		return nil, fmt.Errorf("rejection: New: %w", rollout.ErrNoPrompts)
	}
	return &Collector{prompts, s, by, o.withDefaults()}, nil
}

// Rounds yields Options.Rounds rounds. The body of the loop trains on each; the next
// is sampled after that. An error ends them.
func (c *Collector) Rounds(ctx context.Context) iter.Seq2[*Round, error] {
	return func(yield func(*Round, error) bool) {
		var before []Example
		for n := range c.opts.Rounds {
			r, err := c.Collect(ctx, n)
			if err == nil && c.opts.Accumulate {
				r.Examples = union(before, r.Examples)
				before = r.Examples
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Collect samples round n, which counts from 0, and does not change the Collector.
// When ctx ends it returns an error that wraps ctx.Err().
func (c *Collector) Collect(ctx context.Context, n int) (*Round, error) {
	all := make([]asked, len(c.prompts))
	for i := range all {
		all[i].prompt, all[i].as, all[i].place = &c.prompts[i], &c.prompts[i], i
	}
	for pass := range c.opts.Passes {
		if err := c.pass(ctx, c.wanting(all), n, pass); err != nil {
			return nil, err
		}
	}
	if err := c.rationalise(ctx, all, n); err != nil {
		return nil, err
	}
	return c.choose(n, all), nil
}

// asked is a prompt and what came of it.
type asked struct {
	prompt     *rollout.Prompt
	as         *rollout.Prompt // what the sampler is shown: the prompt, or a hinted one
	place      int
	candidates []candidate // accepted, each once
	seen       map[string]bool
	stats      Stats // of this prompt; Prompts is 0
}

// candidate is an accepted answer.
type candidate struct {
	*rollout.Completion
	key    string
	hinted bool
}

// wanting lists the prompts that may give more than they have.
func (c *Collector) wanting(all []asked) (list []*asked) {
	for i := range all {
		if a := &all[i]; len(a.candidates) < c.quota(a) || a.stats.Sampled == 0 {
			list = append(list, a)
		}
	}
	return list
}

// quota is the number of answers that a prompt may give.
func (c *Collector) quota(a *asked) int {
	if c.opts.Balance != ByDifficulty || a.stats.Sampled == 0 {
		return c.opts.Keep
	}
	wrong := 1 - float64(a.stats.Accepted)/float64(a.stats.Sampled)
	return max(1, int(math.Ceil(float64(c.opts.Keep)*wrong)))
}

// rationalise asks once more where nothing was right, with a hint.
func (c *Collector) rationalise(ctx context.Context, all []asked, round int) error {
	if c.opts.Hint == nil {
		return nil
	}
	var list []*asked
	for i := range all {
		if a := &all[i]; a.stats.Accepted == 0 {
			if p, ok := c.opts.Hint(*a.prompt); ok {
				a.as = &p
				list = append(list, a)
			}
		}
	}
	return c.pass(ctx, list, round, c.opts.Passes)
}

// together is the number of prompts of one request.
const together = 64

// samplingPurpose keys the seeds of requests.
const samplingPurpose = 0x52465431

// pass answers the prompts of list once more.
func (c *Collector) pass(ctx context.Context, list []*asked, round, pass int) error {
	for from := 0; from < len(list); from += together {
		part := list[from:min(from+together, len(list))]
		w := kernel.Philox(c.opts.Seed, [4]uint32{uint32(round), uint32(pass), uint32(from), samplingPurpose})
		req := rollout.Request{Completions: c.opts.Completions, Seed: uint64(w[0])<<32 | uint64(w[1]), Version: int64(round)}
		for _, a := range part {
			req.Prompts = append(req.Prompts, a.as)
		}
		answers, err := c.sampler.Sample(ctx, req)
		if err != nil {
			return fmt.Errorf("rejection: round %d: %w", round, err)
		}
		if len(answers) != len(part)*req.Completions {
			return fmt.Errorf("rejection: round %d: sampler gave %d completions, want %d for each of %d prompts", round, len(answers), req.Completions, len(part))
		}
		if err := c.score(ctx, part, answers); err != nil {
			return fmt.Errorf("rejection: round %d: rewarder %s: %w", round, c.by.Name(), err)
		}
	}
	return nil
}

// score asks the rewarder, which sees prompts without hints, and books the answers.
func (c *Collector) score(ctx context.Context, part []*asked, answers []*rollout.Completion) error {
	list := make([]rollout.Completion, len(answers))
	for i, x := range answers {
		a := part[i/c.opts.Completions]
		x.Prompt, x.Group, x.Index = a.prompt, int64(a.place), a.stats.Sampled+i%c.opts.Completions
		list[i] = *x
	}
	rewards, err := c.by.Rewards(ctx, list)
	if partial := (*rollout.PartialError)(nil); err != nil && !errors.As(err, &partial) {
		return err
	}
	if len(rewards) != len(list) {
		return fmt.Errorf("got %d rewards, want one for each of %d completions", len(rewards), len(list))
	}
	for i, x := range answers {
		x.Reward = rewards[i]
		x.Rewards = []float64{rewards[i]}
		c.book(part[i/c.opts.Completions], x)
	}
	return nil
}

// book accepts or drops an answer.
func (c *Collector) book(a *asked, x *rollout.Completion) {
	hinted := a.as != a.prompt
	s := &a.stats
	if hinted {
		s.Hinted++
	} else {
		s.Sampled++
	}
	switch {
	case math.IsNaN(x.Reward):
		s.Unknown++
		return
	case x.Reward < c.opts.Accept:
		s.Wrong++
		return
	case x.Truncated() && !c.opts.KeepTruncated, len(x.Tokens) == 0:
		s.Truncated++
		return
	}
	if !hinted {
		s.Accepted++
	}
	key := c.opts.Key(x)
	if a.seen[key] {
		s.Duplicates++
		return
	}
	if a.seen == nil {
		a.seen = map[string]bool{}
	}
	a.seen[key] = true
	a.candidates = append(a.candidates, candidate{x, key, hinted})
}

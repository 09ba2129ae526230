package rollout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/train"
)

// Collector draws prompts, lets a sampler answer them and rewarders score the
// answers. It is not safe for concurrent use.
type Collector struct {
	prompts []Prompt
	sampler Sampler
	scorer  *scorer
	opts    Options
	place   place
	buffer  []*group // of the replay, largest spread first
}

// place is how far a collector is.
type place struct {
	Rollouts int64 `json:"rollouts"`
	Drawn    int64 `json:"drawn"`  // prompts
	Groups   int64 `json:"groups"` // ids given
	Blind    int   `json:"blind"`  // rollouts without any known reward, the latest ones
}

// New makes a Collector at the first prompt.
func New(prompts []Prompt, s Sampler, rewards []Reward, o Options) (*Collector, error) {
	err := errors.Join(o.Validate(), checkRewards(rewards))
	if v, ok := o.Order.(interface{ Validate() error }); ok {
		err = errors.Join(err, v.Validate())
	}
	if len(prompts) == 0 {
		err = errors.Join(err, fmt.Errorf("%w: got none", ErrNoPrompts))
	}
	if s == nil {
		err = errors.Join(err, errors.New("rollout: got no sampler, want one"))
	}
	if err != nil {
		return nil, err
	}
	return &Collector{prompts: prompts, sampler: s, scorer: newScorer(rewards), opts: o.WithDefaults()}, nil
}

// Options are the options with their defaults filled in.
func (c *Collector) Options() Options { return c.opts }

// group is the completions of one prompt.
type group struct {
	list   []*Completion
	greedy *Completion // nil without Options.Greedy
	spread float64     // standard deviation of the known rewards, 0 without two
}

// Next collects the next rollout, sampled from the policy as it stands after
// version optimizer steps. It returns io.EOF after the last pass. When ctx ends
// nothing has happened.
func (c *Collector) Next(ctx context.Context, version int64) (*Rollout, error) {
	if c.opts.Epochs > 0 && c.epoch(c.place) >= c.opts.Epochs {
		return nil, io.EOF
	}
	w := &draw{c: c, place: c.place, version: version, rollout: &Rollout{Number: c.place.Rollouts, Names: c.scorer.names()}}
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	w.place.Rollouts++
	c.place = w.place
	c.remember(w.groups)
	r := w.rollout
	r.Epoch = c.epoch(c.place)
	for _, g := range w.groups {
		r.Completions = append(r.Completions, g.list...)
		if g.greedy != nil {
			r.Greedy = append(r.Greedy, g.greedy)
		}
	}
	return r, nil
}

// epoch is the number of passes over the prompts that are done.
func (c *Collector) epoch(p place) float64 { return float64(p.Drawn) / float64(len(c.prompts)) }

// draw is one rollout in the making.
type draw struct {
	c       *Collector
	place   place
	version int64
	rollout *Rollout
	groups  []*group
	flat    []*group // without spread
}

func (d *draw) run(ctx context.Context) error {
	o := &d.c.opts
	for round := 0; round < o.MaxRounds && len(d.groups) < o.Prompts; round++ {
		fresh, err := d.sample(ctx, o.Prompts-len(d.groups), uint32(round))
		if err != nil {
			return err
		}
		for _, g := range fresh {
			if g.spread > 0 || o.MaxRounds == 1 && o.Replay == 0 {
				d.groups = append(d.groups, g)
			} else {
				d.flat = append(d.flat, g)
			}
		}
		d.rollout.Rounds++
	}
	missing := o.Prompts - len(d.groups)
	for _, g := range d.c.buffer[:min(missing, len(d.c.buffer))] {
		d.groups = append(d.groups, d.again(g))
		d.rollout.Reused++
		missing--
	}
	d.groups = append(d.groups, d.flat[:missing]...)
	d.rollout.Skipped = len(d.flat) - missing
	return d.checkKnown()
}

// sample draws n prompts, and lets them be answered and scored.
func (d *draw) sample(ctx context.Context, n int, round uint32) ([]*group, error) {
	c, o := d.c, &d.c.opts
	req := Request{Completions: o.Completions, Version: d.version, Seed: samplingSeed(o.Seed, d.place.Rollouts, round)}
	for _, i := range o.Order.Pick(nil, c.prompts, o.Seed, d.place.Drawn, int64(n)) {
		req.Prompts = append(req.Prompts, &c.prompts[i])
	}
	began := train.StartStopwatch()
	list, err := c.sampler.Sample(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(list) != n*o.Completions {
		return nil, fmt.Errorf("rollout: sampler gave %d completions, want %d for each of %d prompts", len(list), o.Completions, n)
	}
	d.rollout.Timing.Generation += began.Elapsed()
	groups := make([]*group, n)
	for i := range groups {
		groups[i] = &group{list: list[i*o.Completions : (i+1)*o.Completions]}
		for k, x := range groups[i].list {
			x.Group, x.Index, x.Prompt = d.place.Groups, k, req.Prompts[i]
		}
		d.place.Groups++
	}
	d.place.Drawn += int64(n)
	if o.Greedy {
		if list, err = d.greedy(ctx, req, groups, list); err != nil {
			return nil, err
		}
	}
	began = train.StartStopwatch()
	faults, err := c.scorer.score(ctx, list)
	d.rollout.Timing.Scoring += began.Elapsed()
	d.rollout.Faults = append(d.rollout.Faults, faults...)
	if err == nil && len(faults) > 0 && o.OnFault == FaultsStop {
		err = fmt.Errorf("%w: %w", ErrRewarder, faults[0])
	}
	for _, g := range groups {
		g.spread = spread(g.list)
	}
	return groups, err
}

// greedy adds the completion of greedy decoding to each group, and to the list of
// those to score.
func (d *draw) greedy(ctx context.Context, req Request, groups []*group, list []*Completion) ([]*Completion, error) {
	req.Greedy, req.Completions = true, 1
	began := train.StartStopwatch()
	more, err := d.c.sampler.Sample(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(more) != len(groups) {
		return nil, fmt.Errorf("rollout: sampler gave %d greedy completions, want one for each of %d prompts", len(more), len(groups))
	}
	d.rollout.Timing.Generation += began.Elapsed()
	for i, g := range groups {
		more[i].Group, more[i].Index, more[i].Prompt = g.list[0].Group, -1, req.Prompts[i]
		g.greedy = more[i]
	}
	return append(list[:len(list):len(list)], more...), nil
}

// again is a replayed group under an id of its own: its completions compete with
// each other only.
func (d *draw) again(g *group) *group {
	out := &group{spread: g.spread}
	for _, c := range g.list {
		x := *c
		x.Group, x.Advantages, x.Values, x.Returns = d.place.Groups, nil, nil, nil
		out.list = append(out.list, &x)
	}
	d.place.Groups++
	return out
}

// checkKnown refuses to go on for long when nothing has a reward.
func (d *draw) checkKnown() error {
	for _, g := range d.groups {
		for _, c := range g.list {
			if !math.IsNaN(c.Reward) {
				d.place.Blind = 0
				return nil
			}
		}
	}
	if d.place.Blind++; d.place.Blind < d.c.opts.Patience {
		return nil
	}
	err := fmt.Errorf("%w: %d rollouts in a row without any known reward", ErrRewarder, d.place.Blind)
	for _, f := range d.rollout.Faults {
		err = errors.Join(err, f)
	}
	return err
}

// samplingPurpose keeps seeds of sampling apart from other random numbers.
const samplingPurpose = 0x5250

// samplingSeed is a seed of its own for every round of every rollout.
func samplingSeed(seed uint64, rollout int64, round uint32) uint64 {
	w := kernel.Philox(seed, [4]uint32{uint32(rollout), uint32(rollout >> 32), round, samplingPurpose})
	return uint64(w[0])<<32 | uint64(w[1])
}

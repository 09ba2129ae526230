package rlhf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// stage implements train.Stage.
type stage struct {
	policy    Policy
	opts      Options
	weights   []float64 // of the rewarders
	data      string    // fingerprint of the prompts
	longest   int
	source    Source
	generator *generate.Generator // nil where others sample
	reference *frozen             // nil without a KL term
	scorer    *scorer             // of the policy as it is; nil where old log-probabilities are not needed
	unsure    *scorer             // entropies; nil where all tokens teach
	params    []*tensor.Param
	list      []train.Parameter
	prog      *program
	judge     *judge // nil without a critic
	arena     *tensor.Arena
	perMicro  bool // losses are divided by each micro-batch's own weight
	layout    layout

	roll   *rollout.Rollout
	ready  bool    // roll has been scored and has its advantages
	at     int     // optimizer steps made of roll
	before float64 // epochs done before roll
	count  uint64  // optimizer steps begun
	fresh  bool    // the policy is as it was when New was called
	first  bool    // the step is the first of its rollout

	rows      []*rollout.Completion // of the step
	micro     []microBatch
	in        given
	totals    totals
	loss      float64 // of the step so far, divided
	metrics   train.Metrics
	seen      measurement
	log       *slog.Logger
	clock     clock
	corrected corrected
	control   controls
	stopped   []string                          // why alarms ended the run
	kept      map[*rollout.Completion][]float64 // of the step: which tokens teach
}

// totals are counts over the whole optimizer step.
type totals struct {
	rows, tokens float64           // completions, and tokens of Mask 1
	groups       map[int64]float64 // mean length of the rows of a group
}

// Name is "rlhf".
func (s *stage) Name() string { return "rlhf" }

// Parameters implements train.Stage.
func (s *stage) Parameters() []train.Parameter { return s.list }

// close releases the sampler.
func (s *stage) close() error {
	if s.generator == nil {
		return nil
	}
	g := s.generator
	s.generator = nil
	return g.Close()
}

// Next implements train.Stage.
func (s *stage) Next(ctx context.Context, b *train.Batch) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("rlhf: %w", err)
	}
	if len(s.stopped) > 0 {
		return io.EOF
	}
	s.clock.start()
	s.metrics.Reset()
	if err := s.obtain(ctx); err != nil {
		return err
	}
	s.first = s.at%s.opts.steps() == 0
	if err := s.choose(); err != nil {
		return err
	}
	if err := s.keepUnsure(); err != nil {
		return err
	}
	s.at++
	s.fresh = s.count == 0
	s.count++
	s.loss = 0
	if s.judge != nil {
		s.judge.total = 0
	}
	s.seen.reset()
	s.describe(b)
	return nil
}

// obtain makes sure that there is a rollout with steps left.
func (s *stage) obtain(ctx context.Context) error {
	if s.roll == nil || s.at == s.opts.steps() {
		r, err := s.source.Next(ctx, int64(s.count))
		if err != nil {
			return err
		}
		if len(r.Completions) == 0 {
			return fmt.Errorf("rlhf: rollout %d has no completion, want one at least", r.Number)
		}
		if s.roll != nil {
			s.before = s.roll.Epoch
		}
		s.roll, s.ready, s.at = r, false, 0
		s.clock.generation += r.Timing.Generation
		s.clock.scoring += r.Timing.Scoring
		for _, f := range r.Faults {
			s.log.Warn("rewarder failed", "rewarder", f.Rewarder, "kind", f.Kind, "completions", f.Completions, "error", f.Err)
		}
	}
	if s.ready {
		return nil
	}
	began := train.StartStopwatch()
	err := s.prepare()
	s.ready = err == nil
	s.clock.scoring += began.Elapsed()
	return err
}

// prepare computes, once, what a rollout is compared with, and its advantages.
func (s *stage) prepare() error {
	r := s.roll
	for i, c := range r.Completions {
		if err := checkCompletion(c); err != nil {
			return fmt.Errorf("rlhf: rollout %d: completion %d: %w", r.Number, i, err)
		}
	}
	old, ref := s.opts.needs()
	if old {
		missing := without(r.Completions, func(c *rollout.Completion) bool { return c.Old == nil })
		if err := s.scorer.score(&s.layout, missing, func(c *rollout.Completion, lp []float64) { c.Old = lp }); err != nil {
			return err
		}
	}
	if ref {
		missing := without(r.Completions, func(c *rollout.Completion) bool { return c.Ref == nil })
		if err := s.reference.score(&s.layout, missing); err != nil {
			return err
		}
	}
	s.correct()
	if err := s.estimate(); err != nil {
		return err
	}
	if s.opts.KLControl.Target > 0 {
		s.opts.KLControl.afterRollout(&s.control, r.Completions, s.mask)
	}
	return nil
}

// without are the completions that lack something.
func without(list []*rollout.Completion, lacks func(c *rollout.Completion) bool) []*rollout.Completion {
	var out []*rollout.Completion
	for _, c := range list {
		if lacks(c) {
			out = append(out, c)
		}
	}
	return out
}

// checkCompletion refuses what a source should not give.
func checkCompletion(c *rollout.Completion) error {
	switch n := len(c.Tokens); {
	case c.Prompt == nil || len(c.Prompt.IDs) == 0:
		return errors.New("got no prompt, want one token at least: nothing predicts the first token of a text")
	case c.Old != nil && len(c.Old) != n || c.Ref != nil && len(c.Ref) != n:
		return fmt.Errorf("got %d and %d log-probabilities under old policy and reference, want one for each of %d tokens", len(c.Old), len(c.Ref), n)
	}
	return nil
}

// counts says whether a token is learnt from.
func (s *stage) counts(c *rollout.Completion, t int) bool {
	return c.Tokens[t].Role == rollout.Sampled && !(s.opts.MaskTruncated && c.Truncated())
}

// mask is 1 for the tokens of a completion that are learnt from and 0 for others.
func (s *stage) mask(c *rollout.Completion) []float64 {
	mask := make([]float64, len(c.Tokens))
	for t := range mask {
		if s.counts(c, t) {
			mask[t] = 1
		}
	}
	return mask
}

// choose selects the completions of the next step and lays them out.
func (s *stage) choose() error {
	all := s.roll.Completions
	iteration, part := s.at/s.opts.StepsPerGeneration, s.at%s.opts.StepsPerGeneration
	if !s.opts.Sequential {
		all = shuffled(all, s.opts.Rollout.Seed, uint64(s.roll.Number)<<16+uint64(iteration))
	}
	n := s.opts.StepsPerGeneration
	s.rows = all[part*len(all)/n : (part+1)*len(all)/n]
	if len(s.rows) == 0 {
		return fmt.Errorf("rlhf: rollout %d has %d completions, want one for each of %d steps", s.roll.Number, len(all), n)
	}
	var err error
	s.micro, err = s.layout.pack(s.micro, s.rows)
	return err
}

// shuffled puts the groups of a rollout into another order; completions of a group
// stay together.
func shuffled(list []*rollout.Completion, seed, epoch uint64) []*rollout.Completion {
	places := map[int64]int{}
	var groups [][]*rollout.Completion
	for _, c := range list {
		at, ok := places[c.Group]
		if !ok {
			at = len(groups)
			places[c.Group] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], c)
	}
	out := make([]*rollout.Completion, 0, len(list))
	for _, g := range data.Permutation(nil, len(groups), seed, epoch) {
		out = append(out, groups[g]...)
	}
	return out
}

// describe counts the step for the loop.
func (s *stage) describe(b *train.Batch) {
	s.totals = totals{groups: map[int64]float64{}}
	members := map[int64]float64{}
	b.Weights, b.Tokens = b.Weights[:0], 0
	unit := s.opts.Objective.Average().Denominator()
	for i := range s.micro {
		rows, tokens := float64(len(s.micro[i].rows)), 0.0
		for _, c := range s.micro[i].rows {
			n := float64(s.length(c))
			tokens += n
			s.totals.groups[c.Group] += n
			members[c.Group]++
		}
		if unit == OverTokens {
			b.Weights = append(b.Weights, tokens)
		} else {
			b.Weights = append(b.Weights, rows)
		}
		b.Tokens += s.micro[i].texts
		s.totals.rows += rows
		s.totals.tokens += tokens
	}
	for g, n := range members {
		s.totals.groups[g] = max(1, s.totals.groups[g]/n)
	}
	b.Epoch = s.before + (s.roll.Epoch-s.before)*float64(s.at)/float64(s.opts.steps())
}

// length is the number of tokens of a completion that count.
func (s *stage) length(c *rollout.Completion) int {
	n := 0
	for t := range c.Tokens {
		if s.counts(c, t) {
			n++
		}
	}
	return n
}

// Backward implements train.Stage.
func (s *stage) Backward(micro int, seed float64) error {
	b := &s.micro[micro]
	if len(b.Targets) == 0 { // nothing but empty completions
		return nil
	}
	s.give(b, seed)
	loss, err := s.prog.compute(b, &s.in)
	if err != nil {
		return fmt.Errorf("rlhf: micro-batch %d: %w", micro, err)
	}
	s.loss += loss * seed
	if err := s.seen.read(s.prog); err != nil {
		return err
	}
	if s.fresh {
		if err := s.checkFirst(b); err != nil {
			return fmt.Errorf("micro-batch %d: %w", micro, err)
		}
	}
	s.book(b)
	if s.judge == nil {
		return nil
	}
	if err := s.judge.learn(b, s.in.mask, s.valueSeed(micro)); err != nil {
		return fmt.Errorf("rlhf: critic: micro-batch %d: %w", micro, err)
	}
	return s.judge.book(&s.metrics, s.in.mask)
}

// give collects the numbers of a micro-batch.
func (s *stage) give(b *microBatch, seed float64) {
	x := &s.in
	x.seed = seed
	x.klCoef = s.opts.Objective.KL.Coef * s.control.KL
	x.entropyCoef = s.control.Entropy * s.opts.Objective.Average().EntropyScale(s.totals.rows, s.totals.tokens)
	for _, list := range []*[]float64{&x.advantage, &x.mask, &x.keep, &x.old, &x.ref, &x.sampler, &x.weight, &x.rowWeight, &x.lengths, &x.groupLengths} {
		*list = (*list)[:0]
	}
	use := s.opts.uses()
	for _, c := range b.rows {
		x.lengths = append(x.lengths, float64(max(1, s.length(c))))
		x.groupLengths = append(x.groupLengths, s.totals.groups[c.Group])
		mask := s.mask(c)
		x.mask = append(x.mask, mask...)
		x.keep = append(x.keep, s.kept[c]...)
		x.advantage = append(x.advantage, c.Advantages...)
		x.old, x.ref = append(x.old, c.Old...), append(x.ref, c.Ref...)
		if use.sampler {
			x.sampler = samplerLogProbs(x.sampler, c, mask)
		}
		switch {
		case use.weight:
			x.weight = append(x.weight, s.corrected.token[c]...)
		case use.rowWeight:
			x.rowWeight = append(x.rowWeight, s.corrected.row[c])
		}
	}
}

// Collect implements train.Stage.
func (s *stage) Collect(m *train.Metrics) error {
	m.Set("loss", s.loss)
	if j := s.judge; j != nil {
		m.Set("loss", s.loss+j.total)
		m.Set("loss/policy_avg", s.loss)
		m.Set("loss/value_avg", j.total/j.Coef)
		if s.first {
			m.Set("critic/vf_explained_var", j.explained)
		}
	}
	if s.first {
		s.bookRollout(m)
	}
	s.seen.finish(&s.metrics)
	if s.opts.KLControl.Target > 0 {
		s.metrics.Set("kl_coef", s.control.KL*max(s.opts.Objective.KL.Coef, s.opts.KLInReward.Coef))
	}
	if s.opts.EntropyControl.Target > 0 {
		s.metrics.Set("entropy_coef", s.control.Entropy)
		s.opts.EntropyControl.afterStep(&s.control, &s.metrics)
	}
	for name, value := range s.metrics.All() {
		m.Set(name, value)
	}
	s.stopped = s.opts.Alarms.Observe(m)
	return nil
}

// keepUnsure marks the tokens of the step at which the policy is least sure.
func (s *stage) keepUnsure() error {
	if s.unsure == nil {
		return nil
	}
	s.kept = map[*rollout.Completion][]float64{}
	if err := s.unsure.score(&s.layout, s.rows, func(c *rollout.Completion, values []float64) { s.kept[c] = values }); err != nil {
		return err
	}
	var entropies, mask []float64
	for _, c := range s.rows {
		entropies, mask = append(entropies, s.kept[c]...), append(mask, s.mask(c)...)
	}
	keep := advantage.TopEntropy(entropies, mask, s.opts.TopEntropy)
	for _, c := range s.rows {
		s.kept[c], keep = keep[:len(c.Tokens):len(c.Tokens)], keep[len(c.Tokens):]
	}
	return nil
}

// valueSeed is what the critic's losses of a micro-batch are multiplied by: its
// coefficient over the tokens of the step, or of the micro-batch where the loop
// divides so.
func (s *stage) valueSeed(micro int) float64 {
	tokens := s.totals.tokens
	if s.perMicro {
		tokens = 0
		for _, c := range s.micro[micro].rows {
			tokens += float64(s.length(c))
		}
		tokens *= float64(len(s.micro))
	}
	if tokens == 0 {
		return 0
	}
	return s.judge.Coef / tokens
}

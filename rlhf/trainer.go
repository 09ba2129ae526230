package rlhf

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Trainer improves a policy from rewards. Its methods are those of train.Trainer:
// Steps iterates over optimizer steps, Train runs to the end.
type Trainer struct {
	*train.Trainer
	stage *stage
}

// New prepares training of a policy on prompts: it samples completions, asks the
// rewarders, and learns. Prompts too long for the model's context and a completion
// are refused. With Options.Source prompts and rewards are not used and may be nil.
//
// New gives the policy's parameters gradient accumulators, settles the reference
// and compiles the objective. It fails with ErrMemory, before anything large is
// allocated, when the plan exceeds o.MemoryLimit. With loop.Resume the prompts must
// be those the run began with (ErrDataChanged), and the policy must be as it was at
// its start.
//
// In the first step the trainer asserts that sampler and trainer give the same
// log-probabilities, and that ratios are 1 and the KL is 0 where they are by
// construction (ErrFirstStep). Close releases the sampler's memory.
func New(p Policy, prompts []rollout.Prompt, rewards []rollout.Reward, o Options, loop train.Options) (*Trainer, error) {
	if err := errors.Join(o.Validate(), loop.Validate()); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	longest, err := checkPrompts(p, prompts, o)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults().forPrompts(longest)
	if o.Taught.Coef != 0 && loop.Denominator == train.PerMicroBatch {
		return nil, fmt.Errorf("%w: rlhf: Taught: got the denominator %q, want one a step", ErrOptions, loop.Denominator)
	}
	if n := o.Taught.longest(); n > o.MicroTokens {
		return nil, fmt.Errorf("%w: rlhf: Taught.Texts: got a text of %d tokens, want at most %d (Options.MicroTokens)", ErrOptions, n, o.MicroTokens)
	}
	if err := fits(p, longest, o); err != nil {
		return nil, err
	}
	s := &stage{policy: p, opts: o, params: policy.Policy(p).Params(), arena: &tensor.Arena{}, perMicro: loop.Denominator == train.PerMicroBatch,
		lesson: newLesson(o.Taught), paid: 1,
		layout: layout{capacity: o.MicroTokens, most: o.MaxRows, fixed: o.MicroRows, whole: o.Objective.Needs().Groups}, data: fingerprint(prompts), longest: longest, control: controls{KL: 1, Entropy: o.Objective.Entropy}}
	if s.log = loop.Logger; s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for _, r := range rewards {
		s.weights = append(s.weights, r.Counts())
	}
	if err := s.build(prompts, rewards, longest); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if loop.Device == nil {
		loop.Device = o.Device
	}
	loop.Sampler = shown{s, loop.Sampler}
	t, err := train.New(s, loop)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return &Trainer{t, s}, nil
}

// checkPrompts refuses prompts that leave no room and returns the longest length.
func checkPrompts(p Policy, prompts []rollout.Prompt, o Options) (longest int, err error) {
	o = o.withDefaults()
	if o.Source != nil {
		return 1, nil
	}
	if len(prompts) == 0 {
		return 0, fmt.Errorf("rlhf: %w: got none", rollout.ErrNoPrompts)
	}
	c := p.Model.Config()
	limit := 0
	if c.LearnedPositions || c.MaxPositionEmbeddings > 0 && !c.RoPE.LengthDependent() {
		limit = c.MaxPositionEmbeddings
	}
	var faults []error
	for i := range prompts {
		n := len(prompts[i].IDs)
		longest = max(longest, n)
		switch {
		case n == 0:
			faults = append(faults, fmt.Errorf("rlhf: %v: got a prompt without tokens, want one at least", prompts[i].At))
		case limit > 0 && n+o.room() > limit:
			faults = append(faults, fmt.Errorf("rlhf: %v: %w: got a prompt of %d tokens and completions of up to %d, want at most %d together, the model's context", prompts[i].At, generate.ErrPromptTooLong, n, o.room(), limit))
		}
		if len(faults) == maxFaults {
			break
		}
	}
	return longest, errors.Join(faults...)
}

// maxFaults bounds the prompts that one error lists.
const maxFaults = 10

// build allocates and compiles.
func (s *stage) build(prompts []rollout.Prompt, rewards []rollout.Reward, longest int) error {
	err := policy.MakeTrainable(s.params)
	if err != nil {
		return err
	}
	for _, q := range s.params {
		s.list = append(s.list, q)
	}
	old, ref := s.opts.needs()
	if old {
		if s.scorer, err = newPolicyScorer(s.policy.Model, s.policy.AdapterName(), &s.opts, s.arena, logProb); err != nil {
			return err
		}
	}
	if ref || s.opts.Objective.Needs().ExactKL {
		if s.reference, err = s.opts.Reference.resolve(s.policy); err != nil {
			return err
		}
		if s.reference.scorer, err = newPolicyScorer(s.reference.model, s.reference.adapter, &s.opts, s.arena, logProb); err != nil {
			return err
		}
	}
	if s.opts.keeps() {
		entropy := func(lp tensor.LogProbs) *tensor.Node { return lp.Entropy }
		if s.unsure, err = newPolicyScorer(s.policy.Model, s.policy.AdapterName(), &s.opts, s.arena, entropy); err != nil {
			return err
		}
	}
	if s.opts.Objective.Needs().ExactKL && (s.reference.params != nil || s.reference.model != s.policy.Model) {
		return fmt.Errorf("%w: rlhf: ExactKL: got a policy of all weights or a Reference.Model of its own, want an adapter: policy and reference must be one model with two adapters, so that one graph holds both", ErrOptions)
	}
	if s.prog, err = compile(s.policy, &s.opts, s.params, s.reference, s.arena); err != nil {
		return err
	}
	if c := s.opts.Critic; c != nil {
		if s.judge, err = newJudge(c, s.policy, &s.opts, s.arena); err != nil {
			return err
		}
		for _, q := range s.judge.params {
			s.list = append(s.list, criticParam{q})
		}
	}
	return s.connect(prompts, rewards, longest)
}

// connect makes the source of rollouts.
func (s *stage) connect(prompts []rollout.Prompt, rewards []rollout.Reward, longest int) (err error) {
	o := &s.opts
	if s.source = o.Source; s.source != nil {
		return nil
	}
	sampler := o.Sampler
	if sampler == nil {
		if s.generator, err = generate.New(s.policy.Model, generate.Config{
			Adapter: s.policy.AdapterName(), Sequences: o.Sequences, Context: longest + o.room(),
			Device: o.Device, Arena: s.arena, Decode: o.Decode,
		}); err != nil {
			return err
		}
		sampler = rollout.FromModel(s.generator, o.Generate)
		if o.Environment != nil {
			sampler = rollout.Converse(s.generator, o.Generate, o.Environment)
		}
	}
	s.source, err = rollout.New(prompts, sampler, rewards, o.Rollout)
	return err
}

// Model is the model that is trained.
func (t *Trainer) Model() model.Model { return t.stage.policy.Model }

// Parameters lists what is trained; the gradients are those of the last step,
// before clipping.
func (t *Trainer) Parameters() []train.Parameter { return t.stage.list }

// Rollout is the one that was learnt from last; nil before the first step. Do not
// write.
func (t *Trainer) Rollout() *rollout.Rollout { return t.stage.roll }

// Stopped says why alarms ended the run; nil when none did.
func (t *Trainer) Stopped() []string { return t.stage.stopped }

// Memory is what training takes; its arena is the one that was allocated.
func (t *Trainer) Memory() (Memory, error) {
	m, err := PlanMemory(t.stage.policy, t.stage.longest, t.stage.opts)
	m.Arena = int64(t.stage.arena.Bytes())
	return m, err
}

// Timings lists where the time of the objective's program went; empty without
// Debug.Timing. Sampling and scoring are not in it.
func (t *Trainer) Timings() []tensor.Timing { return t.stage.prog.run.Timings() }

// Close releases the memory of the sampler. The trainer cannot go on after it.
func (t *Trainer) Close() error { return t.stage.close() }

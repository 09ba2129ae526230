package rlhf

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/guard"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Options control reinforcement learning; the loop has options of its own
// (train.Options). The zero value is GRPO: 8 completions for each of 8 prompts,
// one optimizer step a rollout, no reference.
type Options struct {
	// Objective is what is minimised; without a Policy loss it is GRPO{}.
	Objective Objective `json:"-"`
	// Advantages turns rewards into advantages; nil means GroupAdvantages{}.
	Advantages AdvantageEstimator `json:"-"`
	// Critic, for PPO and A2C, estimates advantages in place of Advantages.
	Critic *Critic `json:"-"`
	// KLInReward is subtracted from the reward of each token.
	KLInReward KLInReward `json:"kl_in_reward,omitzero"`
	// RewardClip limits rewards before anything else is made of them.
	RewardClip RewardClip `json:"reward_clip,omitzero"`
	// KLControl and EntropyControl adapt coefficients while training.
	KLControl      KLControl      `json:"kl_control,omitzero"`
	EntropyControl EntropyControl `json:"entropy_control,omitzero"`
	// Alarms are asked after every step, with its metrics; the first that has a reason
	// ends the run, as if it had no further step (Trainer.Stopped). Their exported
	// fields are saved with checkpoints.
	Alarms guard.Alarms `json:"-"`
	// Constraints hold the means of some rewards within limits.
	Constraints Constraints `json:"constraints,omitzero"`
	// Taught adds supervised learning to every step.
	Taught Taught `json:"taught,omitzero"`
	// TopEntropy lets only this share of the tokens of a step teach the policy, those
	// at which it is least sure (advantage.TopEntropy); it costs a forward pass a step.
	// 0 and 1 take all.
	TopEntropy float64 `json:"top_entropy,omitempty"`
	// Reference is what KL terms compare with.
	Reference Reference `json:"-"`

	// Rollout says how many prompts and completions a rollout has, and in which
	// order prompts come.
	Rollout rollout.Options `json:"rollout"`
	// Generate says how completions are sampled; Temperature 0 means 1 here. Its
	// Seed is not used: Rollout.Seed is.
	Generate generate.Options `json:"-"`
	// Decode begins a new text for rewarders that read text; nil gives them ids
	// only. For a *tokenizer.Tokenizer it is generate.Text(tok.NewStream).
	Decode func() generate.Stream `json:"-"`
	// Sequences is the number of completions decoded at once; 0 means all of a
	// round, at most 64.
	Sequences int `json:"-"`
	// Sampler samples in place of the policy's own generator.
	Sampler rollout.Sampler `json:"-"`
	// Environment, with Sampler nil, talks with the policy: see rollout.Converse.
	Environment rollout.Environment `json:"-"`
	// Observations is the room, in tokens, for what the environment says in a
	// conversation; 0 means as many as the policy may say.
	Observations int `json:"observations,omitempty"`
	// Source gives rollouts in place of prompts, sampler and rewarders. It should
	// have a position to resume a run, as rollout.Collector has.
	Source Source `json:"-"`

	// StepsPerGeneration is the number of optimizer steps that share a rollout, each
	// with a part of its completions; 0 means 1. Iterations is the number of passes
	// over them; 0 means 1.
	StepsPerGeneration int `json:"steps_per_generation,omitempty"`
	Iterations         int `json:"iterations,omitempty"`
	// Sequential keeps the order of the rollout's completions; by default groups
	// come in an order of its own in each pass.
	Sequential bool `json:"sequential,omitempty"`

	// MaskTruncated leaves completions that a limit cut off out of the loss; they
	// still count in the means over completions, as in TRL.
	MaskTruncated bool `json:"mask_truncated,omitempty"`
	// Correction is for samplers whose arithmetic is not the trainer's.
	Correction Correction `json:"correction,omitzero"`
	// Trusted skips the assertion of the first step that sampler and trainer agree.
	Trusted bool `json:"trusted,omitempty"`

	// MicroTokens is the largest micro-batch in tokens, for which memory is planned;
	// 0 means 2,048 or the longest prompt with a completion, whichever is more.
	MicroTokens int `json:"micro_tokens,omitempty"`
	// MaxRows is the largest number of completions in a micro-batch; 0 means what a
	// step can have, at most MicroTokens.
	MaxRows int `json:"max_rows,omitempty"`
	// MicroRows makes micro-batches of so many completions, in order, however long
	// they are, as trainers do that pad; 0 packs them by length.
	MicroRows int `json:"micro_rows,omitempty"`
	// MicroMeans logs metrics as means of micro-batch means, which is what TRL does.
	MicroMeans bool `json:"micro_means,omitempty"`
	// Recompute saves memory by computing each layer again in the backward pass.
	Recompute bool `json:"recompute,omitempty"`
	// Samples is the number of completions of a rollout that are shown in
	// samples.jsonl, the best and the worst of each group; 0 means 4, negative none.
	Samples int `json:"-"`

	// BaseModel is the name of the base model in adapter_config.json.
	BaseModel string `json:"-"`
	// Export writes the result of the run into a folder; nil writes the adapter, or
	// the bare weights.
	Export func(dir string) error `json:"-"`
	// MemoryLimit, in bytes, is what training may take beside the weights; New
	// refuses with the numbers when it would take more. 0 asks the system what is
	// available; negative means no limit.
	MemoryLimit int64 `json:"-"`
	// Device computes; nil means tensor.DefaultDevice. Results do not depend on its
	// number of threads.
	Device *tensor.Device `json:"-"`
	// Debug selects expensive checks.
	Debug tensor.Debug `json:"-"`
}

// Errors that callers may ask for.
var (
	// ErrOptions is wrapped by every error about faulty options.
	ErrOptions = errors.New("rlhf: faulty options")
	// ErrMemory says that training would need more memory than there is.
	ErrMemory = train.ErrMemory
	// ErrFirstStep says that in the first step sampler and trainer disagree, or that
	// the policy differs from the one that sampled, or from a reference that it
	// should equal.
	ErrFirstStep = errors.New("rlhf: the first step is not on policy")
	// ErrDataChanged is wrapped by the error about a run that is resumed over other
	// prompts.
	ErrDataChanged = errors.New("rlhf: prompts changed since the run began")
)

// Validate reports every fault at once.
func (o Options) Validate() error {
	o = o.withDefaults()
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf("rlhf: "+format, args...)) }
	for _, f := range []struct {
		name string
		got  int
	}{{"StepsPerGeneration", o.StepsPerGeneration}, {"Iterations", o.Iterations}, {"MicroTokens", o.MicroTokens}, {"MaxRows", o.MaxRows}, {"MicroRows", o.MicroRows}, {"Sequences", o.Sequences}, {"Observations", o.Observations}} {
		if f.got < 0 || f.got > 1<<24 {
			bad("Options.%s: got %d, want 0 (default) to %d", f.name, f.got, 1<<24)
		}
	}
	if n := o.Rollout.Prompts * o.Rollout.Completions; o.Source == nil && o.StepsPerGeneration > n {
		bad("Options.StepsPerGeneration: got %d for rollouts of %d completions, want one a step at least", o.StepsPerGeneration, n)
	}
	if o.Source != nil && (o.Sampler != nil || o.Environment != nil) || o.Sampler != nil && o.Environment != nil {
		bad("Options: got more than one of Source, Sampler and Environment")
	}
	faults = append(faults, o.Objective.Validate(), o.Rollout.Validate(), o.Generate.Validate(), o.KLInReward.Validate(), o.RewardClip.Validate(), o.Correction.Validate(), o.Reference.validate(), o.Critic.validate(), o.Constraints.Validate(), o.Taught.Validate())
	if o.MicroRows > 0 && o.Objective.Policy != nil && o.Objective.Needs().Groups {
		bad("Options.MicroRows: got %d, want 0 with the loss %s, whose groups must not be cut", o.MicroRows, o.Objective.Policy.Name())
	}
	if v, ok := o.Advantages.(validator); ok {
		faults = append(faults, v.Validate())
	}
	faults = append(faults, o.validateControls())
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return nil
}

// withDefaults fills in what does not depend on prompts.
func (o Options) withDefaults() Options {
	if o.Objective.Policy == nil {
		o.Objective.Policy = GRPO{}
	}
	if o.Advantages == nil {
		o.Advantages = GroupAdvantages{}
	}
	if o.Generate.Temperature == 0 {
		o.Generate.Temperature = 1
	}
	if o.Generate.MaxTokens == 0 {
		o.Generate.MaxTokens = 256
	}
	o.StepsPerGeneration, o.Iterations = max(o.StepsPerGeneration, min(1, 1-o.StepsPerGeneration)), max(o.Iterations, min(1, 1-o.Iterations))
	o.Rollout = o.Rollout.WithDefaults()
	if o.Samples == 0 {
		o.Samples = 4
	}
	return o
}

// forPrompts fills in what depends on the longest prompt.
func (o Options) forPrompts(longest int) Options {
	if o.MicroTokens == 0 {
		o.MicroTokens = max(2048, longest+o.room(), o.Taught.longest())
	}
	rows := int(math.Ceil(float64(o.Rollout.Prompts*o.Rollout.Completions) / float64(o.StepsPerGeneration)))
	if o.MaxRows == 0 {
		if o.MaxRows = min(rows, o.MicroTokens); o.Source != nil {
			o.MaxRows = max(1, o.MicroTokens/4)
		}
	}
	o.MaxRows = max(o.MaxRows, o.MicroRows)
	if texts := o.Taught.perStep(); o.MicroRows == 0 && o.MaxRows == rows {
		o.MaxRows = min(o.MaxRows+texts, o.MicroTokens)
	}
	if o.Sequences == 0 {
		o.Sequences = min(o.Rollout.Prompts*o.Rollout.Completions, mostSequences)
	}
	return o
}

// mostSequences is the most that package generate computes together.
const mostSequences = 64

// room is the number of tokens that may follow a prompt.
func (o *Options) room() int {
	switch {
	case o.Environment == nil:
		return o.Generate.MaxTokens
	case o.Observations == 0:
		return 2 * o.Generate.MaxTokens
	}
	return o.Generate.MaxTokens + o.Observations
}

// steps is the number of optimizer steps a rollout.
func (o *Options) steps() int { return o.StepsPerGeneration * o.Iterations }

// needs says what has to be computed of every rollout.
func (o *Options) needs() (old, ref bool) {
	old = o.steps() > 1 || o.Correction.Mode != advantage.NoCorrection || o.KLInReward.Coef != 0 || o.Rollout.Replay > 0 || o.Objective.OffPolicy != 0 || o.KLControl.Target != 0
	return old, o.Objective.Needs().Ref || o.KLInReward.Coef != 0 || o.KLControl.Target != 0
}

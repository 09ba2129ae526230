package train

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// Options configure a [Trainer]. The zero value of every field is its default:
// that of TRL and the Hugging Face Trainer unless its comment says otherwise.
// The fields with a JSON name are saved with every checkpoint, and a run is
// resumed only with the same ones (SaveEvery and Keep may change). Options have
// their own JSON methods: make them a named field of a larger struct, not an
// embedded one.
type Options struct {
	// Optimizer is the update rule; nil means AdamW{}.
	Optimizer Optimizer `json:"optimizer"`
	// Schedule is the course of the learning rate; nil means Linear{}.
	Schedule Schedule `json:"schedule"`
	// Groups give some parameters their own rate and decay.
	Groups []Group `json:"groups,omitempty"`
	// Decay says which parameters weight decay acts on.
	Decay DecayRule `json:"decay,omitempty"`
	// MaxGradNorm is what the norm of all gradients together is clipped to;
	// nil means 1, 0 turns clipping off.
	MaxGradNorm *float64 `json:"max_grad_norm"`
	// Denominator says what summed losses are divided by.
	Denominator Denominator `json:"denominator,omitempty"`

	// MaxSteps is the number of optimizer steps; 0 means as many as Epochs
	// asks for. Schedules that need the length of the run take it from here,
	// or from a Stage that counts its steps (StepCounter).
	MaxSteps int `json:"max_steps,omitempty"`
	// Epochs ends the run after the first step that completes so many passes
	// over the data. 0 means 3 when MaxSteps is 0, else no limit. The run also
	// ends when the Stage has no more data.
	Epochs float64 `json:"epochs,omitempty"`

	// EvalEvery is the number of steps between evaluations; 0 means only
	// before the first step and at the end.
	EvalEvery int `json:"eval_every,omitempty"`
	// SampleEvery is the number of steps between samples; 0 means only before
	// the first step and at the end.
	SampleEvery int `json:"sample_every,omitempty"`
	// Watch is the metric of evaluations that decides which checkpoint is the
	// best, and that reactive schedules observe. The evaluation before the
	// first step does not count.
	Watch Watch `json:"watch"`
	// SaveEvery is the number of steps between checkpoints; 0 means 500. The
	// last step and every new best evaluation are saved too; negative means
	// only these.
	SaveEvery int `json:"save_every,omitempty"`
	// Keep is the number of recent checkpoints that stay on disk beside the
	// best one; 0 means 2, negative means all.
	Keep int `json:"keep,omitempty"`
	// Settings are the caller's own settings as a JSON object. They are saved
	// and compared like the fields above; train does not look inside.
	Settings json.RawMessage `json:"settings,omitempty"`

	// Out is the run folder; "" keeps nothing on disk.
	Out string `json:"-"`
	// Resume continues the run in Out. An empty folder is a fresh start.
	// Without it a folder that is not empty is refused.
	Resume bool `json:"-"`
	// Evaluator measures the policy before the first step, every EvalEvery
	// steps and at the end.
	Evaluator Evaluator `json:"-"`
	// Sampler writes samples before the first step, every SampleEvery steps
	// and at the end.
	Sampler Sampler `json:"-"`
	// Companion has a hand in every step; nil for none. The run must be resumed
	// with the same kind.
	Companion Companion `json:"-"`
	// Reporter writes report.html.
	Reporter Reporter `json:"-"`
	// Device computes norms and updates; nil means tensor.DefaultDevice().
	// Results do not depend on it.
	Device *tensor.Device `json:"-"`
	// Logger is told about steps, evaluations and checkpoints; nil is silent.
	Logger *slog.Logger `json:"-"`
}

// Denominator says what the sum of losses is divided by.
type Denominator string

// The denominators.
const (
	// PerStep divides by the weights of all micro-batches of the optimizer
	// step. It is the default.
	PerStep Denominator = ""
	// PerMicroBatch divides each micro-batch by its own weight and takes the
	// mean of these: trainers that average micro-batch means do so.
	PerMicroBatch Denominator = "per_micro_batch"
)

// Watch names a metric of evaluations.
type Watch struct {
	// Metric is its name as logged; "" means eval_loss.
	Metric string `json:"metric,omitempty"`
	// HigherIsBetter says that it should grow.
	HigherIsBetter bool `json:"higher_is_better,omitempty"`
}

// Defaults of Options.
const (
	defaultMaxGradNorm = 1
	defaultEpochs      = 3
	defaultSaveEvery   = 500
	defaultKeep        = 2
	defaultWatch       = "eval_loss"
)

func (o Options) withDefaults() Options {
	if o.Optimizer == nil {
		o.Optimizer = AdamW{}
	}
	if o.Schedule == nil {
		o.Schedule = Linear{}
	}
	o.Optimizer, o.Schedule = fillRule(o.Optimizer), fillRule(o.Schedule)
	if o.MaxGradNorm == nil {
		o.MaxGradNorm = new(float64(defaultMaxGradNorm))
	}
	if o.MaxSteps == 0 && o.Epochs == 0 {
		o.Epochs = defaultEpochs
	}
	if o.SaveEvery == 0 {
		o.SaveEvery = defaultSaveEvery
	}
	if o.Keep == 0 {
		o.Keep = defaultKeep
	}
	if o.Watch.Metric == "" {
		o.Watch.Metric = defaultWatch
	}
	return o
}

// fillRule fills in the defaults of our own rules, so that leaving a field out
// and giving its default are the same options.
func fillRule[I any](rule I) I {
	var filled any = rule
	switch r := filled.(type) {
	case AdamW:
		filled = r.withDefaults()
	case Adam:
		filled = r.withDefaults()
	case SGD:
		filled = r.withDefaults()
	case RMSprop:
		filled = r.withDefaults()
	case Lion:
		filled = r.withDefaults()
	case Adagrad:
		filled = r.withDefaults()
	case Adamax:
		filled = r.withDefaults()
	case NAdam:
		filled = r.withDefaults()
	case Muon:
		filled = r.withDefaults()
	case RAdam:
		filled = r.withDefaults()
	case Adafactor:
		filled = r.withDefaults()
	case TorchAdafactor:
		filled = r.withDefaults()
	case ScheduleFreeAdamW:
		filled = r.withDefaults()
	case ScheduleFreeSGD:
		filled = r.withDefaults()
	case ReduceOnPlateau:
		filled = r.withDefaults()
	case Greedy:
		filled = r.withDefaults()
	}
	return filled.(I)
}

// Validate reports all faults at once; each wraps ErrOptions.
func (o Options) Validate() error {
	o = o.withDefaults()
	var faults []error
	keep := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	keep(o.Optimizer.Validate())
	keep(o.Schedule.Validate())
	for i, g := range o.Groups {
		faults = append(faults, g.validate(i)...)
	}
	if o.Decay != DecayMatrices && o.Decay != DecayAll {
		keep(fmt.Errorf("train: Options.Decay: got %q, want %q or %q", o.Decay, DecayMatrices, DecayAll))
	}
	if o.Denominator != PerStep && o.Denominator != PerMicroBatch {
		keep(fmt.Errorf("train: Options.Denominator: got %q, want %q or %q", o.Denominator, PerStep, PerMicroBatch))
	}
	if n := *o.MaxGradNorm; !(n >= 0) || math.IsInf(n, 0) {
		keep(fmt.Errorf("train: Options.MaxGradNorm: got %v, want a finite number of at least 0", n))
	}
	if !(o.Epochs >= 0) || math.IsInf(o.Epochs, 0) {
		keep(fmt.Errorf("train: Options.Epochs: got %v, want a finite number of at least 0", o.Epochs))
	}
	faults = append(faults, o.countFaults()...)
	if len(o.Settings) > 0 && !isObject(o.Settings) {
		keep(fmt.Errorf("train: Options.Settings: got %.40q, want a JSON object", o.Settings))
	}
	if o.Resume && o.Out == "" {
		keep(fmt.Errorf("train: Options.Resume: got true without Out, want a run folder"))
	}
	return optionFaults(faults)
}

// countFaults checks the numbers of steps.
func (o Options) countFaults() []error {
	var faults []error
	for _, c := range []struct {
		field string
		n     int
	}{{"MaxSteps", o.MaxSteps}, {"EvalEvery", o.EvalEvery}, {"SampleEvery", o.SampleEvery}} {
		if c.n < 0 {
			faults = append(faults, fmt.Errorf("train: Options.%s: got %d, want at least 0", c.field, c.n))
		}
	}
	return faults
}

func isObject(raw json.RawMessage) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(raw, &fields) == nil && fields != nil
}

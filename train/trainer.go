package train

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/posttrain/posttrain/tensor"
)

// Trainer runs the optimizer steps of a stage. It is for one goroutine.
type Trainer struct {
	stage     Stage
	options   Options // defaults filled in
	total     int     // steps that schedules count on; 0 if unknown
	params    []Parameter
	norm      *norm
	optimizer Updater
	reaction  Reaction // nil for schedules that do not react
	device    *tensor.Device
	folder    *folder // nil without Options.Out
	logs      *logs   // open while Steps runs

	progress   standing
	saved      standing // of the newest checkpoint
	batch      Batch
	metrics    Metrics // of the step
	timing     Metrics
	evaluation Metrics  // as logged
	first      *Metrics // evaluation before the first step
	latest     *Metrics
	hooks      Hooks
	finished   bool
	failed     error // after it nothing can go on
}

// standing is how far the run is; it is part of every checkpoint.
type standing struct {
	Step   int     `json:"step"`
	Epoch  float64 `json:"epoch"`
	Tokens int64   `json:"num_tokens"`
	// Ended says that there is no further step.
	Ended bool `json:"ended"`
	// Evaluated and Sampled are the steps after which that was done last; -1
	// is never.
	Evaluated int `json:"evaluated"`
	Sampled   int `json:"sampled"`
	// Best is the step with the best value of the watched metric, 0 for none.
	Best      int     `json:"best_step"`
	BestValue float64 `json:"best_value"`
}

// New prepares the training of a stage: it checks the options against the
// stage and allocates the optimizer's state. With Options.Resume it loads the
// newest good checkpoint of the run folder, into the stage too. Errors wrap
// ErrOptions, ErrNotEmpty, ErrNotARun, ErrOptionsChanged or ErrCorrupt where one
// of these is the reason.
func New(s Stage, o Options) (*Trainer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	t := &Trainer{stage: s, options: o.withDefaults(), params: s.Parameters(), device: o.Device}
	t.progress.Evaluated, t.progress.Sampled = -1, -1
	t.saved.Step = -1
	if t.device == nil {
		t.device = tensor.DefaultDevice()
	}
	if t.options.Logger == nil {
		t.options.Logger = slog.New(slog.DiscardHandler)
	}
	if err := t.start(); err != nil {
		return nil, err
	}
	if o.Out == "" {
		return t, nil
	}
	return openTrainer(t, osDisk{})
}

// start makes the optimizer and the schedule.
func (t *Trainer) start() error {
	all, err := slots(t.params, t.options.Groups, t.options.Decay)
	if err != nil {
		return err
	}
	if t.optimizer, err = t.options.Optimizer.Start(all); err != nil {
		return err
	}
	if u, ok := t.optimizer.(DeviceUser); ok {
		u.UseDevice(t.device)
	}
	t.norm = newNorm(t.params)
	if r, ok := t.options.Schedule.(Reactive); ok {
		if t.options.Evaluator == nil {
			return fmt.Errorf("%w: train: Options.Evaluator: got none, want one for schedule %s, which answers to evaluations", ErrOptions, r.Name())
		}
		t.reaction = r.Start(t.options.Optimizer.BaseLR())
	}
	t.total, err = t.countSteps()
	return err
}

// countSteps is the length of the run that schedules count on.
func (t *Trainer) countSteps() (int, error) {
	o := &t.options
	if o.MaxSteps > 0 {
		return o.MaxSteps, nil
	}
	counter, ok := t.stage.(StepCounter)
	if !ok {
		if needsTotal(o.Schedule) {
			return 0, fmt.Errorf("%w: train: Options.MaxSteps: got 0, want the number of steps, which schedule %s needs and stage %s does not count", ErrOptions, o.Schedule.Name(), t.stage.Name())
		}
		return 0, nil
	}
	n, err := counter.CountSteps(o.Epochs)
	if err == nil && n < 1 {
		err = errors.New("got no step")
	}
	if err != nil && !needsTotal(o.Schedule) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("train: stage %s: count steps of %v epochs: %w", t.stage.Name(), o.Epochs, err)
	}
	return n, nil
}

// needsTotal says whether a schedule depends on the length of the run.
func needsTotal(s Schedule) bool {
	switch s := s.(type) {
	case Constant:
		return s.lengthNeedsTotal()
	case InverseSqrt:
		return s.lengthNeedsTotal()
	case WarmupStableDecay:
		return s.lengthNeedsTotal() || s.StableSteps == 0
	case ReduceOnPlateau, Greedy:
		return false
	}
	return true
}

func (w Warmup) lengthNeedsTotal() bool { return w.Steps == 0 && w.Ratio > 0 }

// Step is the number of steps taken so far, those before a resume included.
func (t *Trainer) Step() int { return t.progress.Step }

// TotalSteps is the length of the run that schedules count on; 0 when it is
// not known.
func (t *Trainer) TotalSteps() int { return t.total }

// Finished says that the run is over and its result written.
func (t *Trainer) Finished() bool { return t.finished }

// Evaluations are the metrics of the evaluation before the first step and of
// the latest one, those before a resume included; nil where there is none.
func (t *Trainer) Evaluations() (first, latest *Metrics) { return t.first, t.latest }

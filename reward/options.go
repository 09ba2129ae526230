package reward

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Options control the computation of reward training; the loop has options of its
// own (train.Options). The zero value trains on comparisons with BradleyTerry{}.
type Options struct {
	// Loss is what is minimised; nil means BradleyTerry{}.
	Loss Loss `json:"-"`
	// Capacity is how large micro-batches may be, for which memory is planned; by
	// default as large as the sources state.
	Capacity Capacity `json:"capacity,omitzero"`
	// Recompute saves memory by computing each layer again in the backward pass
	// (gradient checkpointing); results are the same bits.
	Recompute bool `json:"recompute,omitempty"`
	// EvalData is what evaluations measure on; nil means none.
	EvalData EvalSource `json:"-"`
	// BaseModel is the name of the base model in adapter_config.json.
	BaseModel string `json:"-"`
	// Export writes the result of the run into a folder; nil writes the adapter,
	// or the bare weights.
	Export func(dir string) error `json:"-"`
	// MicroMeans logs metrics as means of micro-batch means, which is what TRL
	// does; by default they are means, minima and maxima over the step.
	MicroMeans bool `json:"micro_means,omitempty"`
	// SumOfMeans adds the gradients of the micro-batches' mean losses up, where
	// train.PerMicroBatch takes their mean: TRL's PRMTrainer does so. It needs
	// train.PerMicroBatch.
	SumOfMeans bool `json:"sum_of_means,omitempty"`
	// MemoryLimit, in bytes, is what training may take beside the weights; New
	// refuses with the numbers when it would take more. 0 asks the system what is
	// available; negative means no limit.
	MemoryLimit int64 `json:"-"`
	// Device computes; nil means tensor.DefaultDevice. Results do not depend on
	// its number of threads.
	Device *tensor.Device `json:"-"`
	// Debug selects expensive checks.
	Debug tensor.Debug `json:"-"`
}

// Errors of training that callers may ask for.
var (
	// ErrTraining is wrapped by every error about faulty options of training.
	ErrTraining = errors.New("reward: faulty options")
	// ErrMemory says that training would need more memory than there is.
	ErrMemory = train.ErrMemory
	// ErrDataChanged is wrapped by the error about a run that is resumed over other
	// groups, or the same in another order or layout.
	ErrDataChanged = errors.New("reward: data changed since the run began")
)

// Validate reports every fault at once.
func (o Options) Validate() error {
	faults := []error{o.Capacity.validate()}
	if o.Loss != nil {
		faults = append(faults, check(o.Loss))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", ErrTraining, err)
	}
	return nil
}

// sized is a source that states how large its micro-batches can be; Batcher is
// one.
type sized interface{ Capacity() Capacity }

// withDefaults fills in what was left out; src may be nil.
func (o Options) withDefaults(src StepSource) Options {
	if o.Loss == nil {
		o.Loss = BradleyTerry{}
	}
	var stated Capacity
	for _, s := range [...]any{src, o.EvalData} {
		if b, ok := s.(sized); ok {
			stated.grow(b.Capacity())
		}
	}
	o.Capacity = o.Capacity.withDefaults(stated, o.Loss.Traits().ScoreAt)
	return o
}

// checkSources refuses evaluations that would never end or disturb training, and
// batches that do not score what the loss needs.
func (o Options) checkSources(src StepSource) error {
	at := o.Loss.Traits().ScoreAt
	for _, s := range [...]any{src, o.EvalData} {
		if b, ok := s.(*Batcher); ok && b != nil && b.Options().ScoreAt != at {
			return fmt.Errorf("%w: reward: the source scores %v, want %v for the loss %s (BatchOptions.ScoreAt)", ErrTraining, b.Options().ScoreAt, at, o.Loss.Name())
		}
	}
	b, ok := o.EvalData.(*Batcher)
	if !ok {
		return nil
	}
	if b == src {
		return fmt.Errorf("%w: reward: EvalData: got the source that is trained on, want one of its own", ErrTraining)
	}
	if b.Options().Epochs == 0 {
		return fmt.Errorf("%w: reward: EvalData: got a source that never ends, want BatchOptions{Epochs: 1}", ErrTraining)
	}
	return nil
}

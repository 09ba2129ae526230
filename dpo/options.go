package dpo

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Options control the computation of preference training; the loop has options of
// its own (train.Options). The zero value is DPO with β = 0.1 against the policy
// as it is when New is called.
type Options struct {
	// Loss is what is minimised; nil means Sigmoid{}.
	Loss Loss `json:"-"`
	// Beta is β, how strongly the policy is held to the reference; 0 means 0.1.
	Beta float64 `json:"beta,omitempty"`
	// Divergence says how log-ratios become scores; nil means ReverseKL{}.
	Divergence Divergence `json:"-"`
	// LDAlpha is the weight of tokens past the end of the pair's shorter answer, in
	// [0, 1] (LD-DPO); nil means 1.
	LDAlpha *float64 `json:"ld_alpha,omitempty"`
	// Reference is what the policy is compared with.
	Reference Reference `json:"-"`
	// MicroTokens is the largest micro-batch in tokens, for which memory is
	// planned; 0 means what the source states, or 2,048 where it states nothing.
	MicroTokens int `json:"micro_tokens,omitempty"`
	// MaxPairs is the largest number of pairs in a micro-batch; 0 means what the
	// source states, or MicroTokens/16.
	MaxPairs int `json:"max_pairs,omitempty"`
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
	// does; by default they are means over all pairs, or all tokens of answers, of
	// the step.
	MicroMeans bool `json:"micro_means,omitempty"`
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

// Errors that callers may ask for.
var (
	// ErrOptions is wrapped by every error about faulty options.
	ErrOptions = errors.New("dpo: faulty options")
	// ErrMemory says that training would need more memory than there is.
	ErrMemory = train.ErrMemory
	// ErrReference says that in the first step the policy differs from a reference
	// that it should equal, or that a loss has another value there than it
	// declares.
	ErrReference = errors.New("dpo: policy and reference differ before the first step")
	// ErrDataChanged is wrapped by the error about a run that is resumed over other
	// pairs, or the same in another order or layout.
	ErrDataChanged = errors.New("dpo: data changed since the run began")
)

// Validate reports every fault at once.
func (o Options) Validate() error {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf("dpo: "+format, args...)) }
	if !(o.Beta >= 0) || math.IsInf(o.Beta, 0) {
		bad("Beta: got %g, want a positive number, or 0 for 0.1", o.Beta)
	}
	if a := o.LDAlpha; a != nil && !(*a >= 0 && *a <= 1) {
		bad("LDAlpha: got %g, want a number in [0, 1]", *a)
	}
	if o.MicroTokens < 0 || o.MicroTokens == 1 || o.MicroTokens > 1<<24 {
		bad("MicroTokens: got %d, want 2 to %d, or 0 for 2048", o.MicroTokens, 1<<24)
	}
	if o.MaxPairs < 0 {
		bad("MaxPairs: got %d, want a positive number, or 0 for MicroTokens/16", o.MaxPairs)
	}
	if o.Loss != nil {
		faults = append(faults, check(o.Loss))
	}
	if a, ok := o.Divergence.(Alpha); ok {
		faults = append(faults, a.Validate())
	}
	if err := errors.Join(append(faults, o.Reference.validate())...); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return nil
}

func (o Options) beta() float64 {
	if o.Beta == 0 {
		return 0.1
	}
	return o.Beta
}

func (o Options) tailWeight() float64 {
	if o.LDAlpha == nil {
		return 1
	}
	return *o.LDAlpha
}

func (o Options) size() size { return size{o.MicroTokens, o.MaxPairs} }

// sized is a source that states how large its micro-batches can be; Batcher is
// one.
type sized interface {
	Options() BatchOptions
	MaxPairs() int
}

// withDefaults fills in what was left out; src may be nil.
func (o Options) withDefaults(src StepSource) Options {
	if o.Loss == nil {
		o.Loss = Sigmoid{}
	}
	if o.Divergence == nil {
		o.Divergence = ReverseKL{}
	}
	tokens, pairs := 0, 0
	for _, s := range [...]any{src, o.EvalData} {
		if b, ok := s.(sized); ok {
			tokens, pairs = max(tokens, b.Options().TokensPerMicro), max(pairs, b.MaxPairs())
		}
	}
	if o.MicroTokens == 0 {
		if o.MicroTokens = tokens; tokens == 0 {
			o.MicroTokens = 2048
		}
	}
	if o.MaxPairs == 0 {
		if o.MaxPairs = pairs; pairs == 0 {
			o.MaxPairs = max(1, o.MicroTokens/16)
		}
	}
	return o
}

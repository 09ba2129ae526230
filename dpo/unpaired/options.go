package unpaired

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
)

// Options control the computation; the loop has options of its own
// (train.Options). The zero value is KTO with β = 0.1 against the policy as it is
// when New is called.
type Options struct {
	// Loss is what is minimised; nil means KTO{}.
	Loss Loss `json:"-"`
	// Beta is β, how strongly the policy is held to the reference; 0 means 0.1.
	Beta float64 `json:"beta,omitempty"`
	// Reference is what the policy is compared with. Cached, File and Sync are
	// refused: mismatched answers change from step to step.
	Reference dpo.Reference `json:"-"`
	// MicroTokens is the largest micro-batch in tokens, for which memory is
	// planned; 0 means what the source states, or 2,048 where it states nothing.
	MicroTokens int `json:"micro_tokens,omitempty"`
	// MaxRows is the largest number of rows in a micro-batch; 0 means what the
	// source states, or MicroTokens/8.
	MaxRows int `json:"max_rows,omitempty"`
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
	// does; by default they are means over all rows, or all tokens of completions,
	// of the step.
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

// Errors that callers may ask for; dpo.ErrMemory and dpo.ErrReference are wrapped
// too.
var (
	// ErrOptions is wrapped by every error about faulty options.
	ErrOptions = errors.New("unpaired: faulty options")
	// ErrDataChanged is wrapped by the error about a run that is resumed over other
	// rows, or the same in another order or layout.
	ErrDataChanged = errors.New("unpaired: data changed since the run began")
)

// Validate reports every fault at once.
func (o Options) Validate() error {
	var faults []error
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("unpaired: "+format, args...))
	}
	if !(o.Beta >= 0) || math.IsInf(o.Beta, 0) {
		bad("Beta: got %g, want a positive number, or 0 for 0.1", o.Beta)
	}
	if o.MicroTokens < 0 || o.MicroTokens == 1 || o.MicroTokens > 1<<24 {
		bad("MicroTokens: got %d, want 2 to %d, or 0 for 2048", o.MicroTokens, 1<<24)
	}
	if o.MaxRows < 0 {
		bad("MaxRows: got %d, want a positive number, or 0 for MicroTokens/8", o.MaxRows)
	}
	if r := o.Reference; r.Cached || r.File != "" || r.Sync.Every != 0 {
		bad("Reference: got Cached, File or Sync, want none of them: mismatched answers change from step to step")
	}
	if o.Loss != nil {
		faults = append(faults, check(o.Loss))
	}
	if err := errors.Join(faults...); err != nil {
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

func (o Options) size() policy.Size {
	return policy.Size{Tokens: o.MicroTokens, Segments: o.MaxRows, Targets: o.MicroTokens}
}

// sized is a source that states how large its micro-batches can be; Batcher is
// one.
type sized interface {
	Options() BatchOptions
	MaxRows() int
}

// withDefaults fills in what was left out; src may be nil.
func (o Options) withDefaults(src StepSource) Options {
	if o.Loss == nil {
		o.Loss = KTO{}
	}
	tokens, rows := 0, 0
	for _, s := range [...]any{src, o.EvalData} {
		if b, ok := s.(sized); ok {
			tokens, rows = max(tokens, b.Options().TokensPerMicro), max(rows, b.MaxRows())
		}
	}
	if o.MicroTokens == 0 {
		if o.MicroTokens = tokens; tokens == 0 {
			o.MicroTokens = 2048
		}
	}
	if o.MaxRows == 0 {
		if o.MaxRows = rows; rows == 0 {
			o.MaxRows = max(1, o.MicroTokens/8)
		}
	}
	return o
}

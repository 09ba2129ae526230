package sft

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// Options control the computation of fine-tuning; the loop has options of its
// own (train.Options). The zero value minimises NLL in micro-batches as large as
// the source makes them.
type Options struct {
	// Loss is what is minimised; nil means NLL{}.
	Loss Loss `json:"-"`
	// NEFTuneAlpha adds uniform noise to embeddings in training; 0 is off, 5 is
	// usual. Jain et al. 2023, arXiv:2310.05914.
	NEFTuneAlpha float64 `json:"neftune_noise_alpha,omitempty"`
	// RouterBalance is how much the load balance of mixtures of experts counts beside
	// the loss (tensor.LoadBalance); 0 is off, and Config().Experts.Balance is what the
	// checkpoint asks for. It is a mean over micro-batches, by their weights, of a value
	// that is not a mean over tokens: how a step is cut into micro-batches changes it.
	RouterBalance float64 `json:"router_aux_loss_coef,omitempty"`
	// MicroTokens is the largest micro-batch in tokens, for which memory is
	// planned; 0 means what the source states (data.BatchOptions.TokensPerMicro),
	// or 1,024 where it states nothing. Results do not depend on it.
	MicroTokens int `json:"micro_tokens,omitempty"`
	// MaxSegments is the largest number of examples in a micro-batch; 0 means
	// MicroTokens/8, or more where the source makes more.
	MaxSegments int `json:"max_segments,omitempty"`
	// Recompute saves memory by computing each layer again in the backward pass
	// (gradient checkpointing); results are the same bits.
	Recompute bool `json:"recompute,omitempty"`
	// EvalData is what evaluations measure the loss on; nil means none.
	EvalData EvalSource `json:"-"`
	// BaseModel is the name of the base model in adapter_config.json.
	BaseModel string `json:"-"`
	// Export writes the result of the run into a folder; nil writes the adapter,
	// or the bare weights.
	Export func(dir string) error `json:"-"`
	// MicroMeans logs entropy and mean_token_accuracy as means of micro-batch
	// means, which is what TRL does; by default they are means over all target
	// tokens of the step and do not depend on how it was cut.
	MicroMeans bool `json:"micro_means,omitempty"`
	// Seed keys dropout and NEFTune's noise.
	Seed uint64 `json:"seed,omitempty"`
	// MemoryLimit, in bytes, is what training may take beside the weights; New
	// refuses with the numbers when it would take more. 0 asks the system what
	// is available; negative means no limit.
	MemoryLimit int64 `json:"-"`
	// Device computes; nil means tensor.DefaultDevice. Results do not depend on
	// its number of threads.
	Device *tensor.Device `json:"-"`
	// Debug selects expensive checks.
	Debug tensor.Debug `json:"-"`
}

// ErrOptions is wrapped by every error about faulty options.
var ErrOptions = errors.New("sft: faulty options")

// Validate reports every fault at once.
func (o Options) Validate() error {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf("sft: "+format, args...)) }
	if !(o.NEFTuneAlpha >= 0) || math.IsInf(o.NEFTuneAlpha, 0) {
		bad("NEFTuneAlpha: got %g, want a finite number of at least 0", o.NEFTuneAlpha)
	}
	if !(o.RouterBalance >= 0) || math.IsInf(o.RouterBalance, 0) {
		bad("RouterBalance: got %g, want a finite number of at least 0", o.RouterBalance)
	}
	if o.MicroTokens < 0 || o.MicroTokens == 1 || o.MicroTokens > 1<<24 {
		bad("MicroTokens: got %d, want 2 to %d, or 0 for 1024", o.MicroTokens, 1<<24)
	}
	if o.MaxSegments < 0 {
		bad("MaxSegments: got %d, want a positive number, or 0 for MicroTokens/8", o.MaxSegments)
	}
	if l, ok := o.Loss.(NLL); ok && !(l.LabelSmoothing >= 0 && l.LabelSmoothing < 1) {
		bad("Loss: LabelSmoothing is %g, want a number in [0, 1)", l.LabelSmoothing)
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrOptions, errors.Join(faults...))
}

func (o Options) shape() shape { return shape{o.MicroTokens, o.MaxSegments} }

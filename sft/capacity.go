package sft

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
)

// defaultMicroTokens is the capacity for sources that do not state theirs.
const defaultMicroTokens = 1024

// planned is a source that states how large its micro-batches can be;
// data.Batcher is one.
type planned interface{ Options() data.BatchOptions }

// sources lists those that state their sizes, by the name that errors use.
func (o Options) sources(src data.StepSource) map[string]data.BatchOptions {
	list := map[string]data.BatchOptions{}
	if s, ok := src.(planned); ok {
		list["source"] = s.Options()
	}
	if s, ok := o.EvalData.(planned); ok {
		list["EvalData"] = s.Options()
	}
	return list
}

// withDefaults fills in what was left out; src may be nil.
func (o Options) withDefaults(src data.StepSource) Options {
	if o.Loss == nil {
		o.Loss = NLL{}
	}
	sources := o.sources(src)
	if o.MicroTokens == 0 {
		for _, b := range sources {
			o.MicroTokens = max(o.MicroTokens, b.TokensPerMicro)
		}
		if o.MicroTokens == 0 {
			o.MicroTokens = defaultMicroTokens
		}
	}
	if o.MaxSegments == 0 {
		o.MaxSegments = max(1, o.MicroTokens/8)
		for _, b := range sources {
			o.MaxSegments = max(o.MaxSegments, b.MaxSegments)
		}
		o.MaxSegments = min(o.MaxSegments, o.MicroTokens)
	}
	return o
}

// checkSources refuses micro-batches that do not fit before the first one is
// drawn, and evaluations that would never end or disturb training.
func (o Options) checkSources(src data.StepSource) error {
	var faults []error
	for _, name := range [...]string{"source", "EvalData"} {
		b, ok := o.sources(src)[name]
		if ok && b.TokensPerMicro > o.MicroTokens {
			faults = append(faults, fmt.Errorf("sft: MicroTokens: got %d, want the %d of BatchOptions.TokensPerMicro of the %s at least", o.MicroTokens, b.TokensPerMicro, name))
		}
		if ok && min(b.MaxSegments, b.TokensPerMicro) > o.MaxSegments {
			faults = append(faults, fmt.Errorf("sft: MaxSegments: got %d, want the %d of BatchOptions.MaxSegments of the %s at least", o.MaxSegments, b.MaxSegments, name))
		}
	}
	if b, ok := o.EvalData.(*data.Batcher); ok {
		if b == src {
			faults = append(faults, errors.New("sft: EvalData: got the source that is trained on, want one of its own"))
		}
		if b.Options().Epochs == 0 {
			faults = append(faults, errors.New("sft: EvalData: got a source that never ends, want data.BatchOptions{Epochs: 1}"))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrOptions, errors.Join(faults...))
}

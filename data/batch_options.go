package data

import (
	"errors"
	"fmt"
)

// BatchOptions steers [NewBatcher]. The zero value is the default: endless,
// shuffled, 8192 tokens a step.
//
// For evaluation set Sequential and Epochs: 1, and seek to the zero [Cursor]
// before each run.
type BatchOptions struct {
	// TokensPerStep bounds the real tokens of an optimizer step (default 8192,
	// which is TRL's 8 rows of up to 1024 tokens). A step takes the next
	// examples in order as long as they fit, but at least one.
	TokensPerStep int
	// ExamplesPerStep makes every step that many examples, whatever their
	// length. It excludes TokensPerStep.
	ExamplesPerStep int
	// TokensPerMicro is the capacity of a micro-batch; the longest example must
	// fit. 0 means 2048 or the longest example's length, whichever is more.
	TokensPerMicro int
	// MaxSegments bounds the examples of a micro-batch. 0 means one for every
	// eight tokens of TokensPerMicro.
	MaxSegments int
	// Seed chooses the order of the examples; each epoch has its own.
	Seed uint64
	// Epochs ends the batcher after so many walks over the dataset; 0 means
	// never.
	Epochs int
	// Sequential keeps the dataset's order in every epoch.
	Sequential bool
	// DropShort leaves out the step at the end of an epoch when the examples
	// run out before it is full.
	DropShort bool
}

// Validate reports every field that makes no sense.
func (o BatchOptions) Validate() error {
	errs := negative("BatchOptions",
		sized{"TokensPerStep", int64(o.TokensPerStep)}, sized{"ExamplesPerStep", int64(o.ExamplesPerStep)}, sized{"TokensPerMicro", int64(o.TokensPerMicro)},
		sized{"MaxSegments", int64(o.MaxSegments)}, sized{"Epochs", int64(o.Epochs)})
	if o.TokensPerStep > 0 && o.ExamplesPerStep > 0 {
		errs = append(errs, fmt.Errorf("data: BatchOptions: got TokensPerStep %d and ExamplesPerStep %d, want one of them", o.TokensPerStep, o.ExamplesPerStep))
	}
	return errors.Join(errs...)
}

// withDefaults fills in defaults; longest is the dataset's longest example.
func (o BatchOptions) withDefaults(longest int) BatchOptions {
	if o.ExamplesPerStep == 0 {
		setDefault(&o.TokensPerStep, 8192)
	}
	setDefault(&o.TokensPerMicro, max(2048, longest))
	setDefault(&o.MaxSegments, max(1, o.TokensPerMicro/8))
	return o
}

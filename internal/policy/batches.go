package policy

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
)

// BatchSizes are the fields of a batcher's options that say how much: what all of
// them check alike.
type BatchSizes struct {
	Package string      // whose BatchOptions they are, for errors
	Items   string      // what the field of Stride.Items is called, such as "PairsPerStep"
	Stride  data.Stride // Tokens is TokensPerStep

	TokensPerMicro, Epochs int
}

// Validate reports every field that makes no sense.
func (s BatchSizes) Validate() error {
	var faults []error
	for _, f := range []struct {
		name string
		got  int
	}{{s.Items, s.Stride.Items}, {"TokensPerStep", s.Stride.Tokens}, {"TokensPerMicro", s.TokensPerMicro}, {"Epochs", s.Epochs}} {
		if f.got < 0 {
			faults = append(faults, fmt.Errorf("%s: BatchOptions.%s: got %d, want 0 (default) or more", s.Package, f.name, f.got))
		}
	}
	if s.Stride.Items > 0 && s.Stride.Tokens > 0 {
		faults = append(faults, fmt.Errorf("%s: BatchOptions: got TokensPerStep %d and %s %d, want one of them", s.Package, s.Stride.Tokens, s.Items, s.Stride.Items))
	}
	return errors.Join(faults...)
}

// maxFaults bounds the items that one error lists.
const maxFaults = 10

// CheckAll joins what check says of the first few items that it refuses.
func CheckAll[T any](items []T, check func(item T) error) error {
	var faults []error
	for _, item := range items {
		if err := check(item); err != nil {
			faults = append(faults, err)
		}
		if len(faults) == maxFaults {
			break
		}
	}
	return errors.Join(faults...)
}

// CheckFit refuses an item, such as "a pair", that no micro-batch has room for.
func CheckFit(pkg, item string, at data.Place, tokens, perMicro int) error {
	if tokens <= perMicro {
		return nil
	}
	return fmt.Errorf("%s: %v: got %s of %d tokens, want at most %d (BatchOptions.TokensPerMicro)", pkg, at, item, tokens, perMicro)
}

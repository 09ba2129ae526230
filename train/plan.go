package train

import (
	"errors"
	"fmt"
	"strings"
)

// ErrMemory says that training would need more memory than there is.
var ErrMemory = errors.New("train: training does not fit in memory")

// Memory is what training takes, in bytes. The stages plan it before anything large
// is allocated.
type Memory struct {
	Weights   int64 // of the model and adapter
	Gradients int64
	Optimizer int64 // two moments a trained element, as AdamW keeps
	Arena     int64 // activations and scratch of the largest micro-batch
	Reference int64 // a copy of what is trained, where the reference needs one
	Cache     int64 // keys and values of the completions that are sampled at once
}

// Total is the sum of all parts.
func (m Memory) Total() int64 {
	return m.Weights + m.Gradients + m.Optimizer + m.Arena + m.Reference + m.Cache
}

// String lists the parts in MiB; a reference and a cache only where they take any.
func (m Memory) String() string {
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	var s strings.Builder
	fmt.Fprintf(&s, "%.0f MiB: weights %.0f, gradients %.0f, optimizer %.0f, activations %.0f",
		mib(m.Total()), mib(m.Weights), mib(m.Gradients), mib(m.Optimizer), mib(m.Arena))
	if m.Reference > 0 {
		fmt.Fprintf(&s, ", reference %.0f", mib(m.Reference))
	}
	if m.Cache > 0 {
		fmt.Fprintf(&s, ", cache %.0f", mib(m.Cache))
	}
	return s.String()
}

// Fits wants all but the weights, which are there already, to take at most limit
// bytes, else the error wraps ErrMemory. 0 asks the system what is available
// (AvailableMemory); negative means no limit.
func (m Memory) Fits(limit int64) error {
	if limit == 0 {
		var known bool
		if limit, known = AvailableMemory(); !known {
			return nil
		}
	}
	if need := m.Total() - m.Weights; limit >= 0 && need > limit {
		return fmt.Errorf("%w: it takes %v; beside the weights %d MiB are available (smaller micro-batches, Recompute or an adapter take less)", ErrMemory, m, limit>>20)
	}
	return nil
}

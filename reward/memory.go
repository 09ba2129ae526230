package reward

import (
	"fmt"

	"github.com/posttrain/posttrain/train"
)

// Memory is what training takes, in bytes.
type Memory struct {
	Weights   int64 // of the model and adapter
	Gradients int64
	Optimizer int64 // two moments a trained element, as AdamW keeps
	Arena     int64 // activations and scratch of the largest micro-batch
}

// Total is the sum of all parts.
func (m Memory) Total() int64 { return m.Weights + m.Gradients + m.Optimizer + m.Arena }

// String lists the parts in MiB.
func (m Memory) String() string {
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	return fmt.Sprintf("%.0f MiB: weights %.0f, gradients %.0f, optimizer %.0f, activations %.0f",
		mib(m.Total()), mib(m.Weights), mib(m.Gradients), mib(m.Optimizer), mib(m.Arena))
}

// PlanMemory says what training n with o would take, without allocating it.
// Neither a Reference.Model of its own nor cached log-probabilities are counted,
// and matrix products take up to 32 MiB beside it.
func PlanMemory(n Net, o Options) (Memory, error) {
	if err := o.Validate(); err != nil {
		return Memory{}, err
	}
	if err := n.check(); err != nil {
		return Memory{}, err
	}
	o = o.withDefaults(nil)
	var m Memory
	for _, q := range n.Headed().Params() {
		m.Weights += int64(q.Bytes())
	}
	params := n.params()
	for _, q := range params {
		m.Gradients += int64(q.Bytes())
		if n.Adapter != nil {
			m.Weights += int64(q.Bytes())
		}
	}
	m.Optimizer = 2 * m.Gradients
	// The reference and evaluations share the arena and need less: they keep
	// nothing for a backward pass.
	pl, err := plan(n, o, params)
	m.Arena = int64(pl.Arena)
	return m, err
}

// fits compares the plan with the limit.
func fits(n Net, o Options) error {
	if o.MemoryLimit < 0 {
		return nil
	}
	limit := o.MemoryLimit
	if limit == 0 {
		var known bool
		if limit, known = train.AvailableMemory(); !known {
			return nil
		}
	}
	m, err := PlanMemory(n, o)
	if err != nil {
		return err
	}
	if need := m.Total() - m.Weights; need > limit {
		return fmt.Errorf("%w: it takes %v; beside the weights %d MiB are available (smaller Capacity.Tokens, Recompute or an adapter take less)", ErrMemory, m, limit>>20)
	}
	return nil
}

package reward

import (
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/train"
)

// Memory is what training takes, in bytes.
type Memory = train.Memory

// PlanMemory says what training n with o would take, without allocating it.
// Matrix products take up to 32 MiB beside it.
func PlanMemory(n Net, o Options) (Memory, error) {
	if err := o.Validate(); err != nil {
		return Memory{}, err
	}
	if err := n.check(); err != nil {
		return Memory{}, err
	}
	// Evaluations share the arena and need less: they keep nothing for a backward
	// pass.
	pl, err := plan(n, o.withDefaults(nil), n.params())
	return policy.Plan(n.Headed().Params(), n.params(), n.Adapter != nil, pl.Arena), err
}

// fits compares the plan with the limit.
func fits(n Net, o Options) error {
	if o.MemoryLimit < 0 {
		return nil
	}
	m, err := PlanMemory(n, o)
	if err != nil {
		return err
	}
	return m.Fits(o.MemoryLimit)
}

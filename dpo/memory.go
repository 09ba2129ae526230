package dpo

import (
	"errors"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/train"
)

// Memory is what training takes, in bytes.
type Memory = train.Memory

// Memory is what training p takes whose activations take arena bytes.
func (p Policy) Memory(arena int64) Memory {
	return policy.Plan(p.Model.Params(), p.Params(), p.Adapter != nil, int(arena))
}

// PlanMemory says what training p with o would take, without allocating it.
// Neither a Reference.Model of its own nor cached log-probabilities are counted,
// and matrix products take up to 32 MiB beside it.
func PlanMemory(p Policy, o Options) (Memory, error) {
	if err := errors.Join(o.Validate(), p.Validate()); err != nil {
		return Memory{}, err
	}
	o = o.withDefaults(nil)
	// The reference and evaluations share the arena and need less: they keep
	// nothing for a backward pass.
	pl, err := plan(p, o, o.size(), p.Params())
	return p.Memory(int64(pl.Arena)), err
}

// fits compares the plan with the limit.
func fits(p Policy, o Options) error {
	if o.MemoryLimit < 0 {
		return nil
	}
	m, err := PlanMemory(p, o)
	if err != nil {
		return err
	}
	return m.Fits(o.MemoryLimit)
}

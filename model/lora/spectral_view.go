package lora

import (
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// Spectral lists the updates of an adapter of AdaLoRA by the path of their layers,
// in a stable order, without layers that have no rank left; nothing for other methods.
func (a *Adapter) Spectral() iter.Seq2[string, *nn.Spectral] {
	return func(yield func(string, *nn.Spectral) bool) {
		for _, m := range a.modules {
			if u, ok := m.update.(*spectral); ok && u.rank > 0 && !yield(m.path, u.value) {
				return
			}
		}
	}
}

// Prune takes the ranks of an AdaLoRA adapter away whose singular value is zero, as
// training leaves them, so that a file has the others only. A layer without any keeps
// one. The parameters are new and frozen: graphs that were built before, and a
// trainer, must not be used any more.
func (a *Adapter) Prune() error {
	if a.config.Method != AdaLoRA {
		return fmt.Errorf("%w: method is %s, want %s to prune", ErrConfig, a.config.Method.peft(), AdaLoRA)
	}
	if err := a.attached(); err != nil {
		return err
	}
	var kept Patterns[[]bool]
	for _, m := range a.modules {
		u, ok := m.update.(*spectral)
		if !ok {
			continue
		}
		if u.rank == 0 {
			kept = append(kept, Pattern[[]bool]{Key: m.path, Value: u.kept})
			continue
		}
		if err := u.prune(m); err != nil {
			return err
		}
		kept = append(kept, Pattern[[]bool]{Key: m.path, Value: u.kept})
	}
	a.config.Budget.Kept = kept
	return nil
}

// prune keeps the ranks with a singular value.
func (u *spectral) prune(m *module) error {
	e, err := wide(u.value.E)
	if err != nil {
		return err
	}
	alive := make([]bool, len(e))
	var rows []int
	for i, x := range e {
		if alive[i] = x != 0; alive[i] {
			rows = append(rows, i)
		}
	}
	if len(rows) == 0 {
		alive[0], rows = true, []int{0}
	}
	u.remember(alive)
	u.rank = len(rows)
	in, out := m.in(), m.out()
	at := func(p **tensor.Param, from func(i int) int, shape ...int) error {
		old, err := wide(*p)
		if err != nil {
			return err
		}
		next := make([]float64, elements(shape))
		for i := range next {
			next[i] = old[from(i)]
		}
		*p, err = newParam((*p).Name(), (*p).Dtype(), next, shape...)
		return err
	}
	rank := len(e)
	if err := at(&u.value.A, func(i int) int { return rows[i/in]*in + i%in }, u.rank, in); err != nil {
		return err
	}
	if err := at(&u.value.E, func(i int) int { return rows[i] }, u.rank); err != nil {
		return err
	}
	return at(&u.value.B, func(i int) int { return i/u.rank*rank + rows[i%u.rank] }, out, u.rank)
}

// remember notes which of the ranks of the start are left.
func (u *spectral) remember(alive []bool) {
	if u.kept == nil {
		u.kept = alive
		return
	}
	kept, i := make([]bool, len(u.kept)), 0
	for k, was := range u.kept {
		if was {
			kept[k] = alive[i]
			i++
		}
	}
	u.kept = kept
}

// elements is the number of elements of a shape.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

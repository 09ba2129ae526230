package lora

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// ErrMerge says that a model cannot hold what an adapter does.
var ErrMerge = errors.New("lora: the adapter cannot be merged")

// Merged reports what Merge did to the base weights.
type Merged struct {
	// Changed names the base parameters whose values differ now, and the head
	// when the model got one of its own.
	Changed []string
	// Largest is the largest change of an element.
	Largest float64
	// Rounding is the largest difference between an element as it should be and
	// as its storage type holds it: what a merge into 16 bits loses.
	Rounding float64
	// Shared names the changed parameters that are embedding and head at once.
	// An active adapter on one of the two leaves the other as it is; merged, it
	// changes both, so the merged model differs from the active adapter. PEFT
	// does the same.
	Shared []string
	// Untied says that embedding and head were one and are two now, because the
	// adapter has a whole copy of one of them.
	Untied bool
}

// Merge makes the base weights what the adapter computes, W + scale·B·A for LoRA, puts
// its own copies of parameters in their places, and removes it. The sum is made in float64 and
// rounded to the storage type of W, by way of float32 for the types of 16 bits. A
// copy of the embedding or the head unties them, see Merged.Untied. It fails, and
// changes nothing, when a sum is beyond the range of the storage type, or the
// model has no place for it. Graphs that were built from the model before must be
// built again.
func (a *Adapter) Merge() (Merged, error) {
	var r Merged
	if err := a.attached(); err != nil {
		return r, err
	}
	untied, err := a.newHead()
	if err != nil {
		return r, err
	}
	list, err := a.outcomes(untied)
	if err != nil {
		return r, err
	}
	for _, o := range list { // all sums are made before the first is stored
		if err := a.measure(o, &r); err != nil {
			return Merged{}, err
		}
	}
	if err := a.store(list, untied); err != nil {
		return Merged{}, err
	}
	if r.Untied = untied != nil; r.Untied && !slices.Contains(r.Changed, untied.Name()) {
		r.Changed = append(r.Changed, untied.Name())
	}
	a.owner = false // what it took out of the base went back by merging
	a.Remove()
	return r, nil
}

// store makes the outcomes and the new head, if there is one, those of the model.
func (a *Adapter) store(list []outcome, untied *tensor.Param) error {
	for _, o := range list {
		x, err := o.sum()
		if err != nil {
			return err
		}
		if err := o.into.Set(x); err != nil {
			return err
		}
	}
	if untied == nil {
		return nil
	}
	return a.model.(model.Untier).Untie(untied)
}

// newHead is a copy of the matrix that is embedding and head, to become the head,
// or nil where the model need not be untied.
func (a *Adapter) newHead() (*tensor.Param, error) {
	whole := func(m *module) bool { return m.wholeWeight && (m.kind == embedding || m.kind == head) }
	if !model.Tied(a.model) || !slices.ContainsFunc(a.modules, whole) {
		return nil, nil
	}
	if _, ok := a.model.(model.Untier); !ok {
		return nil, fmt.Errorf("%w: %q has its own embedding or head, and a model of type %T with one matrix for both cannot be untied, want a model.Untier", ErrMerge, a.name, a.model)
	}
	out := a.model.Output()
	wide, err := out.Weight.Convert(tensor.Float64)
	if err != nil {
		return nil, err
	}
	p, err := tensor.NewParam(out.Path+".weight", wide.Data64(), wide.Shape()...)
	if err != nil {
		return nil, err
	}
	return p.Convert(out.Weight.Dtype())
}

// measure adds to the report what storing an outcome will do.
func (a *Adapter) measure(o outcome, r *Merged) error {
	exact, err := o.sum()
	if err != nil {
		return err
	}
	old, err := o.into.Convert(tensor.Float64)
	if err != nil {
		return err
	}
	stored, err := rounded(o.into, exact)
	if err != nil {
		return err
	}
	name, changed := o.into.Name(), false
	for i, x := range stored {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("lora: merging %q into %s: element %d becomes %g, want a finite number of type %v", a.name, name, i, x, o.into.Dtype())
		}
		change := math.Abs(x - old.Data64()[i])
		changed = changed || change > 0
		r.Largest, r.Rounding = max(r.Largest, change), max(r.Rounding, math.Abs(x-exact[i]))
	}
	if changed && !slices.Contains(r.Changed, name) {
		r.Changed = append(r.Changed, name)
		if o.shared {
			r.Shared = append(r.Shared, name)
		}
	}
	return nil
}

// rounded is x as the storage type of w holds it.
func rounded(w *tensor.Param, x []float64) ([]float64, error) {
	p, err := tensor.NewParam(w.Name(), x, w.Shape()...)
	if err != nil {
		return nil, err
	}
	if p, err = p.Convert(w.Dtype()); err != nil {
		return nil, err
	}
	if p, err = p.Convert(tensor.Float64); err != nil {
		return nil, err
	}
	return p.Data64(), nil
}

package lora

import (
	"fmt"
	"math"
	"slices"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor"
)

// Merged reports what Merge did to the base weights.
type Merged struct {
	// Changed names the base parameters whose values differ now.
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
}

// Merge adds the adapter to the base weights, W + scale·B·A, and removes it. The
// sum is made in float64 and rounded to the storage type of W, by way of float32
// for the types of 16 bits. It fails, and changes nothing, when a sum is beyond
// the range of the storage type. Graphs that were built from the model before
// must be built again.
func (a *Adapter) Merge() (Merged, error) {
	var r Merged
	if err := a.attached(); err != nil {
		return r, err
	}
	for _, m := range a.modules { // all sums are made before the first is stored
		if err := a.measure(m, &r); err != nil {
			return Merged{}, err
		}
	}
	for _, m := range a.modules {
		w, err := m.sum()
		if err != nil {
			return Merged{}, err
		}
		if err := m.weight.Set(w); err != nil {
			return Merged{}, err
		}
	}
	a.Remove()
	return r, nil
}

// measure adds to the report what storing the sum of a layer will do.
func (a *Adapter) measure(m *module, r *Merged) error {
	exact, err := m.sum()
	if err != nil {
		return err
	}
	old, err := m.weight.Convert(tensor.Float64)
	if err != nil {
		return err
	}
	stored, err := rounded(m.weight, exact)
	if err != nil {
		return err
	}
	changed := false
	for i, x := range stored {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("lora: merging %q into %s: element %d becomes %g, want a finite number of type %v", a.name, m.weight.Name(), i, x, m.weight.Dtype())
		}
		change := math.Abs(x - old.Data64()[i])
		changed = changed || change > 0
		r.Largest, r.Rounding = max(r.Largest, change), max(r.Rounding, math.Abs(x-exact[i]))
	}
	if changed && !slices.Contains(r.Changed, m.weight.Name()) {
		r.Changed = append(r.Changed, m.weight.Name())
		if !m.inner && a.model.Embedding().Weight == a.model.Output().Weight {
			r.Shared = append(r.Shared, m.weight.Name())
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

// sum is W + scale·B·A in float64, in the layout of W.
func (m *module) sum() ([]float64, error) {
	var xs [3][]float64
	for i, p := range []*tensor.Param{m.weight, m.low.A, m.low.B} {
		wide, err := p.Convert(tensor.Float64)
		if err != nil {
			return nil, err
		}
		xs[i] = wide.Data64()
	}
	w, a, b := xs[0], xs[1], xs[2]
	g := kernel.Gemm64{K: m.rank, C: w, Alpha: m.scale, Accumulate: true}
	if m.lookup { // (in, out) += (in, r)·(out, r)ᵀ
		g.M, g.N, g.A, g.B, g.TransB = m.in(), m.out(), a, b, true
		g.LDB = m.rank
	} else { // (out, in) += (out, r)·(r, in)
		g.M, g.N, g.A, g.B = m.out(), m.in(), b, a
		g.LDB = m.in()
	}
	g.LDA, g.LDC = m.rank, g.N
	g.Run()
	return w, nil
}

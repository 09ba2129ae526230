package unpaired

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// BCO is binary classifier optimisation: the implicit reward r is the logit of a
// classifier of the labels, shifted by its running mean δ:
//
//	L = −log σ(r − δ)     for desirable y,  r = β·log π(y|x)/π₀(y|x)
//	L = −w·log σ(δ − r)   for undesirable y
//
// Jung et al. 2024, "Binary Classifier Optimization for Large Language Model
// Alignment", arXiv:2404.04656, eqs. 12 and 15. δ is the mean of all rewards so
// far, those of the step included, as in TRL; it is part of every checkpoint.
// Evaluations do not move it.
//
// At π = π₀ the loss is ln 2 (times w).
type BCO struct {
	// Density corrects for prompts that desirable and undesirable answers do not
	// share; nil means w = 1. Rows need their Likeness then.
	Density *DensityRatio `json:"density,omitempty"`
}

// DensityRatio weights undesirable rows by how much likelier their prompt is among
// desirable ones, w = p/(1 − p) for p = Row.Likeness, within bounds (underlying
// distribution matching).
type DensityRatio struct {
	Min float64 `json:"min,omitempty"` // 0 means 0.5, TRL's default
	Max float64 `json:"max,omitempty"` // 0 means 10, TRL's default
}

func (d DensityRatio) bounds() (low, high float64) {
	low, high = d.Min, d.Max
	if low == 0 {
		low = 0.5
	}
	if high == 0 {
		high = 10
	}
	return low, high
}

// densityFloor keeps p/(1 − p) finite, as in TRL.
const densityFloor = 1e-8

// Name is "bco".
func (BCO) Name() string { return "bco" }

// Traits implements Loss.
func (l BCO) Traits() Traits {
	return Traits{Delta: true, Known: l.Density == nil, AtReference: [2]float64{math.Ln2, math.Ln2}}
}

// Validate reports faulty bounds.
func (l BCO) Validate() error {
	if l.Density == nil {
		return nil
	}
	if low, high := l.Density.bounds(); !(low > 0 && low <= high) || math.IsInf(high, 0) {
		return fmt.Errorf("unpaired: BCO.Density: got bounds %g and %g, want two positive numbers in order", l.Density.Min, l.Density.Max)
	}
	return nil
}

// Build implements Loss.
func (l BCO) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	if in.Delta == nil {
		tensor.Fail("unpaired: BCO: got no Delta, want it (Traits.Delta)")
	}
	r := in.Reward()
	gain := in.Toward(tensor.Sub(r, tensor.BroadcastRows(in.Delta, r)))
	t := Terms{Loss: tensor.Neg(tensor.LogSigmoid(gain))}
	if l.Density != nil {
		low, high := l.Density.bounds()
		odds := tensor.Div(in.Likeness, tensor.AddScalar(tensor.Neg(in.Likeness), 1+densityFloor))
		undesirable := tensor.AddScalar(tensor.Neg(in.Desirable), 1)
		t.Weight = tensor.Add(in.Desirable, tensor.Mul(undesirable, tensor.Clip(odds, low, high)))
	}
	return t
}

package dpo

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// EXO is efficient exact optimisation on pairs, the reverse divergence
// KL(q‖p) between the policy's preference q and the smoothed label p = (1−ε, ε):
//
//	L = q⁺·(log q⁺ − log(1−ε)) + q⁻·(log q⁻ − log ε),  (q⁺, q⁻) = softmax(β·s⁺, β·s⁻)
//
// Ji et al. 2024, "Towards Efficient Exact Optimization of Language Model
// Alignment", arXiv:2402.00856, eq. 16.
//
// At π = π₀ the loss is −ln 2 − ½·ln(ε(1−ε)).
type EXO struct {
	LabelSmoothing float64 `json:"label_smoothing,omitempty"` // ε in (0, 0.5); 0 means 0.001, which TRL recommends
}

// Name is "exo_pair".
func (EXO) Name() string { return "exo_pair" }

func (l EXO) smoothing() float64 {
	if l.LabelSmoothing == 0 {
		return 1e-3
	}
	return l.LabelSmoothing
}

// Traits implements Described.
func (l EXO) Traits(float64) Traits {
	eps := l.smoothing()
	return Traits{Known: true, AtReference: -math.Ln2 - math.Log(eps*(1-eps))/2}
}

// Validate reports a faulty smoothing.
func (l EXO) Validate() error { return checkSmoothing("EXO", l.LabelSmoothing) }

// Build implements Loss.
func (l EXO) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	z, eps := in.Margin(), l.smoothing()
	side := func(z *tensor.Node, p float64) *tensor.Node {
		return tensor.Mul(tensor.Sigmoid(z), tensor.AddScalar(tensor.LogSigmoid(z), -math.Log(p)))
	}
	return Terms{Loss: tensor.Add(side(z, 1-eps), side(tensor.Neg(z), eps))}
}

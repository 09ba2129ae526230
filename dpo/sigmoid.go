package dpo

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// Sigmoid is direct preference optimisation:
//
//	L = −log σ(β·(s⁺ − s⁻))
//
// with s = log π(y|x)/π₀(y|x), or what Options.Divergence makes of it.
//
// Rafailov et al. 2023, "Direct Preference Optimization: Your Language Model is
// Secretly a Reward Model", arXiv:2305.18290, eq. 7. (The survey prints it
// without logarithm and sign, which would lower the reward.)
//
// At π = π₀ the loss is ln 2. As in TRL 1.16 there is no label smoothing here; see
// Conservative and Robust.
type Sigmoid struct{}

// Name is "sigmoid".
func (Sigmoid) Name() string { return "sigmoid" }

// Traits implements Described.
func (Sigmoid) Traits(float64) Traits { return Traits{Known: true, AtReference: math.Ln2} }

// Build implements Loss.
func (Sigmoid) Build(_ *tensor.Graph, in LogProbs) Terms {
	return Terms{Loss: nll(in.Margin())}
}

// nll is −log σ(z).
func nll(z *tensor.Node) *tensor.Node { return tensor.Neg(tensor.LogSigmoid(z)) }

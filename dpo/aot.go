package dpo

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// AOT is alignment via optimal transport on pairs: the margins of the policy are
// to dominate those of the reference as distributions, quantile by quantile.
//
//	L_k = −(1−ε)·log σ(z_k) − ε·log σ(−z_k)
//	z_k = β·(sort(log π(y⁺|x) − log π(y⁻|x))_k − sort(log π₀(y⁺|x) − log π₀(y⁻|x))_k)
//
// with both differences sorted over the micro-batch: training wants an optimizer
// step to be one micro-batch, or with train.PerMicroBatch sorts each by itself;
// evaluations always do, so that their loss depends on the size of micro-batches.
// L_k belongs to the k-th quantile, not to pair k.
//
// Melnyk et al. 2024, "Distributional Preference Alignment of LLMs via Optimal
// Transport", arXiv:2406.05882 (paired). Options.Divergence has no
// part in it.
//
// At π = π₀ the loss is ln 2.
type AOT struct {
	LabelSmoothing float64 `json:"label_smoothing,omitempty"` // ε in [0, 0.5)
}

// Name is "aot".
func (AOT) Name() string { return "aot" }

// Traits implements Described.
func (AOT) Traits(float64) Traits {
	return Traits{Known: true, AtReference: math.Ln2, BatchCoupled: true}
}

// Validate reports a faulty smoothing.
func (l AOT) Validate() error { return checkSmoothing("AOT", l.LabelSmoothing) }

// Build implements Loss.
func (l AOT) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	policy, reference := tensor.Sub(in.Chosen, in.Rejected), tensor.Sub(in.RefChosen, in.RefRejected)
	z := tensor.Scale(tensor.Sub(sorted(policy), sorted(reference)), in.Beta)
	return Terms{Loss: smoothed(z, l.LabelSmoothing)}
}

// AOTUnpaired is AOT between the log-ratios of chosen and of rejected answers,
// whichever prompts they belong to:
//
//	z_k = β·(sort(ℓ⁺)_k − sort(ℓ⁻)_k),  ℓ = log π(y|x)/π₀(y|x)
//
// with L_k as in AOT, sorted over micro-batches as there.
//
// Melnyk et al. 2024, arXiv:2406.05882 (unpaired). Options.Divergence
// has no part in it.
//
// At π = π₀ the loss is ln 2.
type AOTUnpaired struct {
	LabelSmoothing float64 `json:"label_smoothing,omitempty"` // ε in [0, 0.5)
}

// Name is "aot_unpaired".
func (AOTUnpaired) Name() string { return "aot_unpaired" }

// Traits implements Described.
func (AOTUnpaired) Traits(float64) Traits {
	return Traits{Known: true, AtReference: math.Ln2, BatchCoupled: true}
}

// Validate reports a faulty smoothing.
func (l AOTUnpaired) Validate() error { return checkSmoothing("AOTUnpaired", l.LabelSmoothing) }

// Build implements Loss.
func (l AOTUnpaired) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	chosen, rejected := tensor.Sub(in.Chosen, in.RefChosen), tensor.Sub(in.Rejected, in.RefRejected)
	z := tensor.Scale(tensor.Sub(sorted(chosen), sorted(rejected)), in.Beta)
	return Terms{Loss: smoothed(z, l.LabelSmoothing)}
}

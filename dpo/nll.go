package dpo

import "github.com/posttrain/posttrain/tensor"

// NLL is the supervised term that keeps the chosen answers likely, for use beside
// another loss in a Sum:
//
//	L = −log π(y⁺|x) / mean |y⁺|
//
// where the mean length is that of all pairs whose losses are divided together,
// so that the mean over pairs is the mean over tokens. It is TRL's loss "sft".
//
// Pang et al. 2024, "Iterative Reasoning Preference Optimization",
// arXiv:2404.19733. Deviation: they divide each answer by its own length.
//
// It does not depend on the reference.
type NLL struct{}

// Name is "sft".
func (NLL) Name() string { return "sft" }

// Traits implements Described.
func (NLL) Traits(float64) Traits { return Traits{ReferenceFree: true} }

// Build implements Loss.
func (NLL) Build(_ *tensor.Graph, in LogProbs) Terms {
	total := tensor.Neg(in.ChosenLikelihood)
	return Terms{Loss: tensor.Div(total, tensor.BroadcastRows(in.MeanChosenTokens, total))}
}

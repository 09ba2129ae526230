package group

import (
	"math"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/tensor"
)

// MDPO is DPO between groups of answers (multi-sample DPO):
//
//	L = −log σ(β·(mean_{y∈G⁺} s(y) − mean_{y∈G⁻} s(y)))
//
// with s = log π(y|x)/π₀(y|x), or what dpo.Options.Divergence makes of it. It sees
// what no single answer shows, such as how diverse a group is.
//
// Wang et al. 2024, "Preference Optimization with Multi-Sample Comparisons",
// arXiv:2410.12138 (mDPO). With k = 1 it is dpo.Sigmoid.
//
// At π = π₀ the loss is ln 2.
type MDPO struct {
	K int `json:"k"` // answers on each side, at least 1
}

// Name is "mdpo".
func (MDPO) Name() string { return "mdpo" }

// Traits implements dpo.Described.
func (MDPO) Traits(float64) dpo.Traits { return dpo.Traits{Known: true, AtReference: math.Ln2} }

// Validate reports a faulty size.
func (l MDPO) Validate() error { return checkSize("MDPO.K", l.K, 1) }

// CheckSource implements dpo.Selective.
func (l MDPO) CheckSource(src dpo.StepSource) error { return checkSource(l, src, groups, l.K) }

// Build implements dpo.Loss. The loss of a group is that of each of its k pairs, so
// that the mean over pairs is the mean over groups.
func (l MDPO) Build(_ *tensor.Graph, in dpo.LogProbs) dpo.Terms {
	require(l)
	return dpo.Terms{Loss: tensor.Neg(tensor.LogSigmoid(groupMean(in.Margin(), l.K)))}
}

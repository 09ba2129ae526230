package dpo

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// CPO is contrastive preference optimisation: DPO's loss without a reference, as
// if that were uniform, beside supervised learning of the chosen answers:
//
//	L = −(1−ε)·log σ(z) − ε·log σ(−z) + w·NLL,  z = β·(log π(y⁺|x) − log π(y⁻|x))
//
// with NLL as the loss of that name.
//
// Xu et al. 2024, "Contrastive Preference Optimization: Pushing the Boundaries of
// LLM Performance in Machine Translation", arXiv:2401.08417, eq. 3–5.
//
// Rewards are logged as β·log π, as in TRL.
type CPO struct {
	LabelSmoothing float64  `json:"label_smoothing,omitempty"` // ε in [0, 0.5)
	NLLWeight      *float64 `json:"nll_weight,omitempty"`      // w, TRL's cpo_alpha; nil means 1
}

// Name is "cpo".
func (CPO) Name() string { return "cpo" }

// Traits implements Described.
func (CPO) Traits(float64) Traits { return Traits{ReferenceFree: true} }

// Validate reports faulty hyperparameters.
func (l CPO) Validate() error {
	return errors.Join(checkSmoothing("CPO", l.LabelSmoothing), checkWeight("CPO", l.NLLWeight))
}

// Build implements Loss.
func (l CPO) Build(g *tensor.Graph, in LogProbs) Terms {
	require(l)
	z := tensor.Scale(tensor.Sub(in.Chosen, in.Rejected), in.Beta)
	return supervised(g, in, smoothed(z, l.LabelSmoothing), l.NLLWeight).log(in.Beta, in.Chosen, in.Rejected)
}

// CPOHinge is CPO with the loss of Hinge, max(0, 1 − z), as TRL offers it.
type CPOHinge struct {
	NLLWeight *float64 `json:"nll_weight,omitempty"` // nil means 1
}

// Name is "cpo_hinge".
func (CPOHinge) Name() string { return "cpo_hinge" }

// Traits implements Described.
func (CPOHinge) Traits(float64) Traits { return Traits{ReferenceFree: true} }

// Validate reports a faulty weight.
func (l CPOHinge) Validate() error { return checkWeight("CPOHinge", l.NLLWeight) }

// Build implements Loss.
func (l CPOHinge) Build(g *tensor.Graph, in LogProbs) Terms {
	require(l)
	z := tensor.Scale(tensor.Sub(in.Chosen, in.Rejected), in.Beta)
	return supervised(g, in, hinge(z), l.NLLWeight).log(in.Beta, in.Chosen, in.Rejected)
}

// CPOIPO is CPO with the loss of IPO on log-probabilities per token,
// (ℓ̄⁺ − ℓ̄⁻ − 1/(2β))², as TRL offers it.
type CPOIPO struct {
	NLLWeight *float64 `json:"nll_weight,omitempty"` // nil means 1
}

// Name is "cpo_ipo".
func (CPOIPO) Name() string { return "cpo_ipo" }

// Traits implements Described.
func (CPOIPO) Traits(float64) Traits { return Traits{ReferenceFree: true} }

// Validate reports a faulty weight.
func (l CPOIPO) Validate() error { return checkWeight("CPOIPO", l.NLLWeight) }

// Build implements Loss.
func (l CPOIPO) Build(g *tensor.Graph, in LogProbs) Terms {
	require(l)
	c, r := in.Means()
	return supervised(g, in, squareTo(tensor.Sub(c, r), 1/(2*in.Beta)), l.NLLWeight).log(in.Beta, c, r)
}

// supervised adds weight·NLL, nil meaning 1, to a loss, and logs it.
func supervised(g *tensor.Graph, in LogProbs, loss *tensor.Node, weight *float64) Terms {
	w := 1.0
	if weight != nil {
		w = *weight
	}
	if w == 0 {
		return Terms{Loss: loss}
	}
	each := NLL{}.Build(g, in).Loss
	return Terms{Loss: tensor.Add(loss, tensor.Scale(each, w)), Metrics: []Metric{{"nll_loss", tensor.Detach(each)}}}
}

// checkWeight wants a finite weight, at least 0.
func checkWeight(loss string, w *float64) error {
	if w != nil && !(*w >= 0 && !math.IsInf(*w, 0)) {
		return fmt.Errorf("dpo: %s: NLLWeight is %g, want a finite number, at least 0", loss, *w)
	}
	return nil
}

package dpo

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// AlphaPO is SimPO with a reward whose shape α changes:
//
//	L = −log σ(β·(r⁺ − r⁻) − γ),  r = (1 − P^−α)/α
//
// where P = e^ℓ̄, the geometric mean of an answer's token probabilities
// (PerToken), or the answer's probability (PerSequence, TRL's loss "sigmoid" with
// alpha, which has no margin). α → 0 is SimPO.
//
// Gupta et al. 2025, "AlphaPO: Reward Shape Matters for LLM Alignment",
// arXiv:2501.03884, eq. 6. Deviation from TRL: the exponent −α·log P is limited to
// 80, where float32 would overflow soon.
//
// Rewards are logged as β·r, log-probabilities as those P is made of, as in TRL.
type AlphaPO struct {
	Alpha          float64       `json:"alpha,omitempty"`           // α; 0 means 0.25
	Margin         *float64      `json:"margin,omitempty"`          // γ; nil means 0.5, with PerSequence 0
	LabelSmoothing float64       `json:"label_smoothing,omitempty"` // ε in [0, 0.5)
	Over           Normalisation `json:"over,omitempty"`
}

// Name is "alphapo", or "alphapo_sum" with PerSequence.
func (l AlphaPO) Name() string {
	if l.Over == PerSequence {
		return "alphapo_sum"
	}
	return "alphapo"
}

// Traits implements Described.
func (AlphaPO) Traits(float64) Traits { return Traits{ReferenceFree: true} }

// Validate reports faulty hyperparameters.
func (l AlphaPO) Validate() error {
	var alpha error
	if math.IsNaN(l.Alpha) || math.IsInf(l.Alpha, 0) {
		alpha = fmt.Errorf("dpo: AlphaPO: Alpha is %g, want a finite number", l.Alpha)
	}
	return errors.Join(alpha, checkSmoothing("AlphaPO", l.LabelSmoothing), checkMargin("AlphaPO", l.Margin), checkNormalisation("AlphaPO", l.Over))
}

// Build implements Loss.
func (l AlphaPO) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	c, r := in.Means()
	gamma := marginOf(l.Margin)
	if l.Over == PerSequence {
		c, r = in.Chosen, in.Rejected
		if l.Margin == nil {
			gamma = 0
		}
	}
	rewardC, rewardR := l.reward(c), l.reward(r)
	z := tensor.AddScalar(tensor.Scale(tensor.Sub(rewardC, rewardR), in.Beta), -gamma)
	t := Terms{Loss: smoothed(z, l.LabelSmoothing)}.log(in.Beta, c, r)
	t.Rewards = [2]*tensor.Node{tensor.Scale(tensor.Detach(rewardC), in.Beta), tensor.Scale(tensor.Detach(rewardR), in.Beta)}
	return t
}

// reward is (1 − e^(−α·x))/α.
func (l AlphaPO) reward(x *tensor.Node) *tensor.Node {
	alpha := l.Alpha
	if alpha == 0 {
		alpha = 0.25
	}
	return tensor.Scale(tensor.AddScalar(limitedExp(tensor.Scale(x, -alpha)), -1), -1/alpha)
}

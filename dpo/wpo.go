package dpo

import (
	"errors"

	"github.com/posttrain/posttrain/tensor"
)

// WPO weights the pairs of another loss by how likely the policy would have
// written the answers itself, so that old answers count as if they were fresh:
//
//	L_WPO = w·L,  w = Π_{y⁺,y⁻} exp(mean_t (log π(y_t|·) − log Σ_v π(v|·)²))
//
// with w detached: a token as likely as the policy's own on average counts 1.
//
// Zhou et al. 2024, "WPO: Enhancing RLHF with Weighted Preference Optimization",
// arXiv:2406.11827.
type WPO struct {
	Of Loss // the loss whose pairs are weighted
}

// Name is that of the loss behind "wpo_".
func (l WPO) Name() string {
	if l.Of == nil {
		return "wpo"
	}
	return "wpo_" + l.Of.Name()
}

// Validate wants a loss.
func (l WPO) Validate() error {
	if l.Of == nil {
		return errors.New("dpo: WPO: Of: got no loss, want one")
	}
	return check(l.Of)
}

// Traits implements Described: the value at the reference depends on the policy.
func (l WPO) Traits(beta float64) Traits {
	t := traits(l.Of, beta)
	t.Known, t.AtReference = false, 0
	return t
}

// Build implements Loss.
func (l WPO) Build(g *tensor.Graph, in LogProbs) Terms {
	require(l)
	t := l.Of.Build(g, in)
	if t.Weight != nil {
		t.Weight = tensor.Mul(t.Weight, in.Confidence)
	} else {
		t.Weight = in.Confidence
	}
	return t
}

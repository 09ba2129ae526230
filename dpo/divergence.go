package dpo

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// Divergence is the f-divergence that holds the policy to the reference. It maps
// a log-ratio ℓ = log π/π₀ to the score s that losses compare: s = f′(e^ℓ) up to
// a constant, chosen so that s = 0 at ℓ = 0 (except where said otherwise, in
// pairwise margins the constant cancels; in IPO and SigmoidNorm, which divide by
// lengths first, it does not).
//
// Wang et al. 2023, "Beyond Reverse KL: Generalizing Direct Preference
// Optimization with Diverse Divergence Constraints", arXiv:2309.16240, Table 1.
type Divergence interface {
	// Name identifies the divergence in saved options.
	Name() string
	// Score maps log-ratios to scores, element by element.
	Score(ratio *tensor.Node) *tensor.Node
}

// ReverseKL is KL(π‖π₀), the divergence of DPO: s = ℓ.
type ReverseKL struct{}

// Name is "reverse_kl".
func (ReverseKL) Name() string { return "reverse_kl" }

// Score implements Divergence.
func (ReverseKL) Score(ratio *tensor.Node) *tensor.Node { return ratio }

// ForwardKL is KL(π₀‖π): s = 1 − e^(−ℓ). Deviation from TRL: the exponent is
// limited to 80, where float32 would overflow soon.
type ForwardKL struct{}

// Name is "forward_kl".
func (ForwardKL) Name() string { return "forward_kl" }

// Score implements Divergence.
func (ForwardKL) Score(ratio *tensor.Node) *tensor.Node {
	return tensor.AddScalar(tensor.Neg(limitedExp(tensor.Neg(ratio))), 1)
}

// JensenShannon is the Jensen–Shannon divergence: s = log 2 + log σ(ℓ).
type JensenShannon struct{}

// Name is "js_divergence".
func (JensenShannon) Name() string { return "js_divergence" }

// Score implements Divergence.
func (JensenShannon) Score(ratio *tensor.Node) *tensor.Node {
	return tensor.AddScalar(tensor.LogSigmoid(ratio), math.Ln2)
}

// Alpha is the α-divergence: s = (e^((α−1)ℓ) − 1)/(α−1), the exponent limited to
// 80 as in TRL; α = 1 is ReverseKL, its limit.
type Alpha struct {
	Coef float64 `json:"coef"` // α; 0 is a divergence too, forward KL
}

// Name is "alpha_divergence" and α.
func (a Alpha) Name() string { return fmt.Sprintf("alpha_divergence(%g)", a.Coef) }

// Validate refuses an α that is no number.
func (a Alpha) Validate() error {
	if math.IsNaN(a.Coef) || math.IsInf(a.Coef, 0) {
		return fmt.Errorf("dpo: Alpha: Coef is %g, want a finite number", a.Coef)
	}
	return nil
}

// alphaIsOne is how near to 1 an α is taken as 1, as in TRL.
const alphaIsOne = 1e-6

// Score implements Divergence.
func (a Alpha) Score(ratio *tensor.Node) *tensor.Node {
	if err := a.Validate(); err != nil {
		tensor.Fail("%v", err)
	}
	c := a.Coef - 1
	if math.Abs(c) < alphaIsOne {
		return ratio
	}
	return tensor.Scale(tensor.AddScalar(limitedExp(tensor.Scale(ratio, c)), -1), 1/c)
}

// maxExponent keeps e^x, and sums of a few, within float32.
const maxExponent = 80

func limitedExp(x *tensor.Node) *tensor.Node {
	return tensor.Exp(tensor.Clip(x, math.Inf(-1), maxExponent))
}

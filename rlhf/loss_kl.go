package rlhf

import (
	"fmt"

	"github.com/posttrain/posttrain/tensor"
)

// Estimator says how KL(π‖π₀) is estimated at a token that was sampled from π, with
// d = log π − log π₀.
type Estimator uint8

// The estimators of Schulman 2020, "Approximating KL Divergence"
// (http://joschu.net/blog/kl-approx.html), and what became of them.
const (
	// K3 is e^(−d) − 1 + d: unbiased, never negative, of little variance. As a loss its
	// gradient is that of KL(π₀‖π), not of KL(π‖π₀).
	K3 Estimator = iota
	// K1 is d: unbiased, often negative. As a loss its gradient has mean 0 and holds
	// nothing; it belongs into the reward.
	K1
	// K2 is d²/2: biased as a value; as a loss its gradient is that of KL(π‖π₀).
	K2
	// K3Plus has the value of K3 and the gradient of K2 (verl's "k3+").
	K3Plus
	// ExactKL is the sum over the vocabulary, Tokens.ExactKL.
	ExactKL
)

// KL is a term β·KL(π‖π₀) in the loss, for each token. The zero value is none.
type KL struct {
	// Coef is β, also the start of an adaptive one; DeepSeekMath has 0.04.
	Coef      float64   `json:"coef,omitempty"`
	Estimator Estimator `json:"estimator,omitempty"`
	// Weighted multiplies the estimate by the ratio that the policy loss uses, with its
	// gradient: for tokens of an older policy the estimate is then one under π, and for
	// K3 the gradient is that of KL(π‖π₀), β·d for each token where π = π_old.
	// TRL 1.16 does so unless told otherwise (use_bias_correction_kl); DeepSeekMath does
	// not, which is the default here. (DeepSeek-AI 2025, "DeepSeek-V3.2",
	// arXiv:2512.02556, §3.1.)
	Weighted bool `json:"weighted,omitempty"`
	// Level is that of the ratio where the policy loss has none.
	Level Level `json:"level,omitempty"`
}

// Validate reports faulty numbers.
func (k KL) Validate() error {
	if !(k.Coef >= 0) || k.Estimator > ExactKL {
		return fmt.Errorf("rlhf: KL: got Coef %g and Estimator %d, want at least 0 and at most %d", k.Coef, k.Estimator, ExactKL)
	}
	return nil
}

// token is the estimate at each token, (M).
func (k KL) token(in Tokens, ratio *tensor.Node) *tensor.Node {
	kl := k.estimate(in)
	if !k.Weighted {
		return kl
	}
	if ratio == nil {
		ratio = in.Ratio(k.Level)
	}
	return tensor.Mul(kl, ratio)
}

func (k KL) estimate(in Tokens) *tensor.Node {
	if k.Estimator == ExactKL {
		if in.ExactKL == nil {
			tensor.Fail("rlhf: KL: the estimator is ExactKL but Tokens.ExactKL is nil")
		}
		return in.ExactKL
	}
	if in.Ref == nil {
		tensor.Fail("rlhf: KL: Coef is %g but Tokens.Ref is nil", k.Coef)
	}
	d := tensor.Mul(tensor.Sub(in.LogProb, in.Ref), in.Mask)
	switch k.Estimator {
	case K1:
		return d
	case K2:
		return tensor.Scale(tensor.Square(d), 0.5)
	case K3Plus:
		square := tensor.Scale(tensor.Square(d), 0.5)
		return tensor.Add(tensor.Detach(tensor.Sub(k3(d), square)), square)
	}
	return k3(d)
}

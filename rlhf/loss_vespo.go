package rlhf

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// VESPO weighs whole rows by a gamma-shaped function of their ratio, which is 1 on the
// sampling policy and falls to 0 on both sides:
//
//	ℓ = −sg(φ(W))·A·log π,  φ(W) = e^λ·W^k·e^(−λW),  W = Π_t w_t
//
// with k and λ by the sign of the row's A. Corrections for the sampler go into W.
//
// Shen et al. 2026, "VESPO: Variational Sequence-Level Soft Policy Optimization for
// Stable Off-Policy LLM Training", arXiv:2602.10693; numbers and the bounds ±20 on
// log w, log W (and 1e-8 on W) as in TRL 1.16.
type VESPO struct {
	KUp        float64 `json:"k_up,omitempty"`        // k where A ≥ 0: 2
	LambdaUp   float64 `json:"lambda_up,omitempty"`   // λ where A ≥ 0: 3
	KDown      float64 `json:"k_down,omitempty"`      // k where A < 0: 3
	LambdaDown float64 `json:"lambda_down,omitempty"` // λ where A < 0: 2
}

// Bounds of VESPO, natural logarithms.
const (
	vespoMost  = 20
	vespoFloor = 1e-8 // of W itself
)

// Name is "vespo".
func (VESPO) Name() string { return "vespo" }

// Average is MeanOfTokens.
func (VESPO) Average() Average { return Average{} }

// Traits implements Described.
func (VESPO) Traits() Traits { return Traits{StopsGradient: true, OwnWeight: true, Slope: 1} }

// Validate reports faulty numbers.
func (l VESPO) Validate() error {
	for _, v := range []float64{l.KUp, l.LambdaUp, l.KDown, l.LambdaDown} {
		if !(v >= 0) {
			return fmt.Errorf("rlhf: VESPO: got k %g and %g, λ %g and %g, want more than 0 (0 takes the default)", l.KUp, l.KDown, l.LambdaUp, l.LambdaDown)
		}
	}
	return nil
}

// Build implements Loss.
func (l VESPO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	floor := math.Log(vespoFloor)
	log := in.RowSum(tensor.Clip(tensor.Detach(in.LogRatio()), -vespoMost, vespoMost))
	if in.Weight != nil { // 1 at tokens of Mask 0
		log = tensor.Add(log, tensor.SegmentSum(tensor.Clip(tensor.Log(in.Weight), floor, vespoMost), in.Ends))
	}
	if in.RowWeight != nil {
		log = tensor.Add(log, tensor.Clip(tensor.Log(in.RowWeight), floor, vespoMost))
	}
	log = tensor.Clip(log, floor, vespoMost)
	falling := positive(tensor.Neg(in.rowAdvantage()))
	k := choose(falling, orDefault(l.KDown, 3), orDefault(l.KUp, 2))
	lambda := choose(falling, orDefault(l.LambdaDown, 2), orDefault(l.LambdaUp, 3))
	phi := tensor.Detach(tensor.Exp(tensor.Add(lambda, tensor.Sub(tensor.Mul(k, log), tensor.Mul(lambda, tensor.Exp(log))))))
	return Terms{
		Token:   tensor.Neg(tensor.Mul(tensor.Mul(in.Spread(phi), in.Advantage), in.LogProb)),
		Metrics: []Metric{{Name: "vespo/phi_seq_mean", Value: phi, Over: OverRows}},
	}
}

package rlhf

import (
	"fmt"

	"github.com/posttrain/posttrain/tensor"
)

// CISPO clips importance weights instead of updates: every token keeps a gradient,
// however far its ratio w has moved,
//
//	ℓ = −sg(min(max(w, Min), Max))·A·log π
//
// where sg holds the weight constant.
//
// MiniMax 2025, "MiniMax-M1", arXiv:2506.13585, §3.1. The bounds are the
// ratios themselves, not distances from 1. The paper tunes only the upper one and
// gives no number; 5 is what TRL's documentation recommends. (TRL's own default, its
// ε of 0.2, makes the weight 0.2 for nearly every token and the loss a fifth of
// REINFORCE.)
type CISPO struct {
	Max   float64 `json:"max,omitempty"` // 5
	Min   float64 `json:"min,omitempty"` // 0: no lower bound
	Level Level   `json:"level,omitempty"`
}

// Name is "cispo".
func (CISPO) Name() string { return "cispo" }

// Average is MeanOfTokens.
func (CISPO) Average() Average { return Average{} }

// Traits implements Described.
func (l CISPO) Traits() Traits {
	return Traits{StopsGradient: true, Slope: min(l.max(), max(1, l.Min))}
}

func (l CISPO) max() float64 {
	if l.Max == 0 {
		return 5
	}
	return l.Max
}

// Validate reports faulty bounds.
func (l CISPO) Validate() error {
	if l.Min < 0 || !(l.max() > l.Min) {
		return fmt.Errorf("rlhf: CISPO: got Min %g and Max %g, want 0 ≤ Min < Max", l.Min, l.max())
	}
	return nil
}

// Build implements Loss.
func (l CISPO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	w := in.Ratio(l.Level)
	weight := tensor.Detach(tensor.Clip(w, l.Min, l.max()))
	clipped := tensor.Mul(exceeds(w, l.max()), positive(in.Advantage))
	m := Metric{Name: "cispo_clip_ratio", Value: clipped}
	if l.Level != TokenLevel {
		m.Value, m.Over = in.RowMean(clipped), OverRows
	}
	return Terms{
		Token:   tensor.Neg(tensor.Mul(tensor.Mul(weight, in.Advantage), in.LogProb)),
		Ratio:   w,
		Metrics: []Metric{m},
	}
}

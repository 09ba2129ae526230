package dpo

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// Conservative is DPO for labels that are wrong with probability ε (cDPO):
//
//	L = −(1−ε)·log σ(z) − ε·log σ(−z),  z = β·(s⁺ − s⁻)
//
// It has its minimum at the margin z = log((1−ε)/ε) instead of at infinity.
//
// Mitchell 2023, "A note on DPO with noisy preferences and relationship to IPO",
// eq. 3. TRL called it sigmoid with label_smoothing until 1.15.
//
// At π = π₀ the loss is ln 2.
type Conservative struct {
	LabelSmoothing float64 `json:"label_smoothing,omitempty"` // ε in [0, 0.5); 0 means 0.1
}

// Name is "cdpo".
func (Conservative) Name() string { return "cdpo" }

// Traits implements Described.
func (Conservative) Traits(float64) Traits { return Traits{Known: true, AtReference: math.Ln2} }

// Validate reports a faulty smoothing.
func (l Conservative) Validate() error { return checkSmoothing("Conservative", l.LabelSmoothing) }

// Build implements Loss.
func (l Conservative) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	eps := l.LabelSmoothing
	if eps == 0 {
		eps = 0.1
	}
	return Terms{Loss: smoothed(in.Margin(), eps)}
}

// smoothed is −(1−ε)·log σ(z) − ε·log σ(−z).
func smoothed(z *tensor.Node, eps float64) *tensor.Node {
	if eps == 0 {
		return nll(z)
	}
	return tensor.Add(tensor.Scale(nll(z), 1-eps), tensor.Scale(nll(tensor.Neg(z)), eps))
}

// checkSmoothing wants a probability below one half: at one half labels say
// nothing.
func checkSmoothing(loss string, eps float64) error {
	if !(eps >= 0 && eps < 0.5) {
		return fmt.Errorf("dpo: %s: LabelSmoothing is %g, want a number in [0, 0.5)", loss, eps)
	}
	return nil
}

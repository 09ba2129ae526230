package reward

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// BradleyTerry is the loss of pairwise comparisons, P(y⁺ ≻ y⁻) = σ(r⁺ − r⁻):
//
//	L = −log σ(Δ) + c·(r⁺ + r⁻)²,  Δ = r⁺ − r⁻ − m
//
// in nats, where m is the comparison's margin and c holds scores near 0, which
// comparisons alone leave open. Of a ranking of K answers all K(K−1)/2
// comparisons count, and their mean is the loss of the ranking.
//
// Bradley and Terry 1952; Ouyang et al. 2022, "Training language models to
// follow instructions with human feedback" (InstructGPT), arXiv:2203.02155, eq. 1
// (K answers of one prompt as one element of the batch); margin: Touvron et al.
// 2023, arXiv:2307.09288, eq. 2; centring: Eisenstein et al. 2023,
// arXiv:2312.09244, §3.
type BradleyTerry struct {
	// Centring is c; TRL recommends 0.01 and has 0.
	Centring float64 `json:"centring,omitempty"`
	// LabelSmoothing is ε, the share of comparisons that are taken to be the wrong
	// way round, in [0, ½): L = −(1−ε)·log σ(Δ) − ε·log σ(−Δ).
	LabelSmoothing float64 `json:"label_smoothing,omitempty"`
}

// Name is "bradley_terry".
func (BradleyTerry) Name() string { return "bradley_terry" }

// Traits implements Loss.
func (BradleyTerry) Traits() Traits { return Traits{Need: Comparisons} }

// Validate reports numbers that make no sense.
func (l BradleyTerry) Validate() error {
	var faults []error
	if !(l.Centring >= 0) || math.IsInf(l.Centring, 0) {
		faults = append(faults, fmt.Errorf("reward: BradleyTerry: Centring is %g, want a number of at least 0", l.Centring))
	}
	if !(l.LabelSmoothing >= 0 && l.LabelSmoothing < 0.5) {
		faults = append(faults, fmt.Errorf("reward: BradleyTerry: LabelSmoothing is %g, want a number in [0, 0.5)", l.LabelSmoothing))
	}
	return errors.Join(faults...)
}

// Build implements Loss.
func (l BradleyTerry) Build(_ *tensor.Graph, in Scores) Terms {
	demand(l)
	delta := tensor.Sub(in.difference(), in.Margin)
	loss := tensor.Softplus(tensor.Neg(delta))
	if l.LabelSmoothing > 0 {
		loss = tensor.Add(tensor.Scale(loss, 1-l.LabelSmoothing), tensor.Scale(tensor.Softplus(delta), l.LabelSmoothing))
	}
	if l.Centring > 0 {
		sum := tensor.Add(tensor.Gather(in.Answer, in.Better), tensor.Gather(in.Answer, in.Worse))
		loss = tensor.Add(loss, tensor.Scale(tensor.Square(sum), l.Centring))
	}
	return Terms{Loss: in.meanOverPairs(loss)}
}

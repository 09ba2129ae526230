package ensemble

import (
	"fmt"
	"math"
	"slices"
)

// Rule makes one score of those of all members.
type Rule interface {
	// Name identifies the rule in metrics and on command lines.
	Name() string
	// Of is the score; scores holds one of each member, at least one.
	Of(scores []float64) float64
	// Validate reports numbers that make no sense.
	Validate() error
}

// Mean is the mean of all members. It averages their noise out, and keeps what they
// all, or some of them strongly, get wrong.
type Mean struct{}

// Name is "mean".
func (Mean) Name() string { return "mean" }

// Validate implements Rule.
func (Mean) Validate() error { return nil }

// Of implements Rule.
func (Mean) Of(scores []float64) float64 {
	sum := 0.0
	for _, s := range scores {
		sum += s
	}
	return sum / float64(len(scores))
}

// Worst is the smallest score: worst-case optimisation, WCO (Coste et al. 2023,
// arXiv:2310.02743).
type Worst struct{}

// Name is "worst".
func (Worst) Name() string { return "worst" }

// Validate implements Rule.
func (Worst) Validate() error { return nil }

// Of implements Rule.
func (Worst) Of(scores []float64) float64 { return slices.Min(scores) }

// Penalised is the mean less what the members' disagreement costs:
// uncertainty-weighted optimisation, UWO,
//
//	R = (1/k)·Σ R_i − λ·(1/k)·Σ (R_i − R̄)²
//
// or, with Deviation, less λ times the standard deviation, which has the scores'
// unit. Coste et al. 2023, arXiv:2310.02743: λ = 0.5 for best-of-n sampling, 0.1
// for PPO.
type Penalised struct {
	Lambda    float64 `json:"lambda,omitempty"` // λ; 0 means 0.5
	Deviation bool    `json:"deviation,omitempty"`
}

// Name is "penalised".
func (Penalised) Name() string { return "penalised" }

// Validate implements Rule.
func (p Penalised) Validate() error {
	if !(p.Lambda >= 0) || math.IsInf(p.Lambda, 0) {
		return fmt.Errorf("ensemble: Penalised.Lambda: got %g, want a finite number of at least 0 (0 takes the default)", p.Lambda)
	}
	return nil
}

// Of implements Rule.
func (p Penalised) Of(scores []float64) float64 {
	if p.Lambda == 0 {
		p.Lambda = 0.5
	}
	cost := variance(scores)
	if p.Deviation {
		cost = math.Sqrt(cost)
	}
	return Mean{}.Of(scores) - p.Lambda*cost
}

// variance is the mean squared distance to the mean.
func variance(scores []float64) float64 {
	mean, sum := Mean{}.Of(scores), 0.0
	for _, s := range scores {
		sum += (s - mean) * (s - mean)
	}
	return sum / float64(len(scores))
}

// Robust goes from one nominal member, the first, to the worst of all:
//
//	R = λ·R_1 + (1−λ)·min_i R_i
//
// Yan et al. 2024, "Reward-Robust RLHF in LLMs", arXiv:2409.15360; there the
// members are heads on a shared trunk.
type Robust struct {
	Lambda float64 `json:"lambda"` // λ, 0 to 1
}

// Name is "robust".
func (Robust) Name() string { return "robust" }

// Validate implements Rule.
func (r Robust) Validate() error {
	if !(r.Lambda >= 0 && r.Lambda <= 1) {
		return fmt.Errorf("ensemble: Robust.Lambda: got %g, want 0 to 1", r.Lambda)
	}
	return nil
}

// Of implements Rule.
func (r Robust) Of(scores []float64) float64 {
	return r.Lambda*scores[0] + (1-r.Lambda)*slices.Min(scores)
}

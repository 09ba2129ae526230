package guard

import (
	"errors"
	"fmt"
	"math"
)

// AdaptiveKL moves the coefficient β of a KL term so that the KL follows a target:
//
//	β ← β·(1 + clip(KL/target − 1, ±0.2)·n/horizon)
//
// for n completions. Ziegler et al. 2019, arXiv:1909.08593, §2.2: target 6 nats a
// completion, horizon 10 000.
type AdaptiveKL struct {
	Coef    float64 `json:"coef"`              // β; state
	Target  float64 `json:"target"`            // nats, as the KL that is observed
	Horizon float64 `json:"horizon,omitempty"` // completions: 10 000
}

// maxRelativeError bounds how far one observation counts.
const maxRelativeError = 0.2

// Validate reports faulty numbers.
func (k *AdaptiveKL) Validate() error {
	if !(k.Coef > 0) || !(k.Target > 0) || !(k.Horizon >= 0) {
		return fmt.Errorf("guard: AdaptiveKL: got Coef %g, Target %g and Horizon %g, want more than 0 (Horizon 0 takes the default)", k.Coef, k.Target, k.Horizon)
	}
	return nil
}

// Observe moves the coefficient after n completions with a mean KL, and returns it.
func (k *AdaptiveKL) Observe(kl float64, n int) float64 {
	horizon := k.Horizon
	if horizon == 0 {
		horizon = 10_000
	}
	if math.IsNaN(kl) {
		return k.Coef
	}
	off := math.Max(-maxRelativeError, math.Min(maxRelativeError, kl/k.Target-1))
	k.Coef *= 1 + off*float64(n)/horizon
	return k.Coef
}

// Lagrangian holds the means of some rewards below limits while another one is raised: it
// solves max E r so that E r_i ≤ θ_i by prices λ_i ≥ 0 that rise while a limit is broken,
//
//	reward = r − Σ λ_i·r_i,  λ_i ← max(0, λ_i + η·(E r_i − θ_i))
//
// Give a proxy reward as its own constraint to stop where it is no longer to be trusted. For
// "at least" pass −r_i and −θ_i.
//
// Moskovitz et al. 2023, "Confronting Reward Model Overoptimization with Constrained RLHF",
// arXiv:2310.04373.
type Lagrangian struct {
	Limits []float64 `json:"limits"` // θ
	Rate   float64   `json:"rate"`   // η
	Prices []float64 `json:"prices"` // λ; state, empty at the start
}

// Validate reports faulty numbers.
func (l *Lagrangian) Validate() error {
	if len(l.Limits) == 0 || !(l.Rate > 0) || (len(l.Prices) != 0 && len(l.Prices) != len(l.Limits)) {
		return errors.New("guard: Lagrangian: want at least one of Limits, Rate above 0 and as many Prices as Limits or none")
	}
	return nil
}

// Reward is the reward of a completion with the rewards that are limited.
func (l *Lagrangian) Reward(reward float64, limited ...float64) float64 {
	for i, price := range l.Prices {
		reward -= price * limited[i]
	}
	return reward
}

// Observe moves the prices after a batch with these means of the limited rewards.
func (l *Lagrangian) Observe(means ...float64) {
	if l.Prices == nil {
		l.Prices = make([]float64, len(l.Limits))
	}
	for i, m := range means {
		if !math.IsNaN(m) {
			l.Prices[i] = math.Max(0, l.Prices[i]+l.Rate*(m-l.Limits[i]))
		}
	}
}

package rlhf

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/rlhf/guard"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// KLControl adapts the weight of the KL, in the loss and in the reward, so that the
// KL of a completion stays near Target. After every rollout of n completions
//
//	β ← β·(1 + clip(KL/Target − 1, ±0.2)·n/Horizon)
//
// with KL = mean over completions of Σ_t log π_old/π₀. The zero value keeps β.
//
// Ziegler et al. 2019, "Fine-Tuning Language Models from Human Preferences",
// arXiv:1909.08593, §2.2: Target 6 nats, Horizon 10,000 completions.
type KLControl struct {
	Target  float64 `json:"target,omitempty"`  // nats a completion; 0 turns it off
	Horizon float64 `json:"horizon,omitempty"` // completions; 0 means 10,000
}

// EntropyControl moves the coefficient of the entropy bonus by Step after every
// optimizer step: up while the entropy is below Target, else down, between Min and
// Max. It starts at Objective.Entropy, which must not be 0. The zero value keeps it.
// (TRL's use_adaptive_entropy; He et al. 2025, "Skywork Open Reasoner 1",
// arXiv:2505.22312.)
type EntropyControl struct {
	Target float64 `json:"target,omitempty"` // nats a token; 0 turns it off
	Step   float64 `json:"step,omitempty"`   // 0 means 0.005
	Min    float64 `json:"min,omitempty"`
	Max    float64 `json:"max,omitempty"` // 0 means 1
}

// controls are the coefficients as they stand.
type controls struct {
	KL      float64 `json:"kl"`      // factor of the KL's coefficients
	Entropy float64 `json:"entropy"` // coefficient
	// Prices are those of Constraints; nil before the first rollout.
	Prices []float64 `json:"prices,omitempty"`
}

// validateControls reports what makes no sense together.
func (o *Options) validateControls() error {
	var faults []error
	k, e := o.KLControl, o.EntropyControl
	if !(k.Target >= 0) || !(k.Horizon >= 0) || k.Target > 0 && o.Objective.KL.Coef == 0 && o.KLInReward.Coef == 0 {
		faults = append(faults, fmt.Errorf("rlhf: KLControl: got Target %g and Horizon %g, want at least 0, and a KL to control", k.Target, k.Horizon))
	}
	if !(e.Target >= 0) || !(e.Step >= 0) || e.Max != 0 && e.Min > e.Max || e.Target > 0 && o.Objective.Entropy == 0 {
		faults = append(faults, fmt.Errorf("rlhf: EntropyControl: got %+v, want at least 0, Min ≤ Max, and Objective.Entropy to start from", e))
	}
	if q := o.TopEntropy; !(q >= 0 && q <= 1) {
		faults = append(faults, fmt.Errorf("rlhf: TopEntropy: got %g, want a share from 0 to 1", q))
	}
	return errors.Join(faults...)
}

// afterRollout adapts the KL's weight to a rollout that has its Old and Ref.
func (k KLControl) afterRollout(c *controls, list []*rollout.Completion, mask func(*rollout.Completion) []float64) (kl float64) {
	for _, x := range list {
		for t, on := range mask(x) {
			if on != 0 {
				kl += (x.Old[t] - x.Ref[t]) / float64(len(list))
			}
		}
	}
	if k.Target > 0 {
		adaptive := guard.AdaptiveKL{Coef: c.KL, Target: k.Target, Horizon: k.Horizon}
		c.KL = adaptive.Observe(kl, len(list))
	}
	return kl
}

// afterStep adapts the entropy bonus to the entropy of a step.
func (e EntropyControl) afterStep(c *controls, m *train.Metrics) {
	entropy, ok := m.Value("entropy")
	if e.Target == 0 || !ok {
		return
	}
	step, most := e.Step, e.Max
	if step == 0 {
		step = 0.005
	}
	if most == 0 {
		most = 1
	}
	if entropy >= e.Target {
		step = -step
	}
	c.Entropy = math.Max(e.Min, math.Min(most, c.Entropy+step))
}

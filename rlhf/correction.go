package rlhf

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/rlhf/rollout"
)

// CorrectionMode says how tokens are weighed whose sampler computes differently
// from the trainer.
type CorrectionMode string

// The modes, with the names of TRL. Ratios are ρ = π_old/π_sampler: of each token,
// or of a completion as the product over its tokens, which soon leaves any range
// for long ones (see the logged kept fraction).
const (
	NoCorrection     CorrectionMode = ""
	TokenTruncate    CorrectionMode = "token_truncate"    // ρ clamped to [Min, Max]
	TokenMask        CorrectionMode = "token_mask"        // ρ, 0 outside
	SequenceTruncate CorrectionMode = "sequence_truncate" // the completion's ρ, clamped
	SequenceMask     CorrectionMode = "sequence_mask"     // the completion's ρ, 0 outside
)

// Correction weighs the policy's part of the loss by truncated or masked importance
// ratios between sampler and trainer (Yao et al. 2025, "Your Efficient RL Framework
// Secretly Brings You Off-Policy RL Training"; TRL's
// vllm_importance_sampling_correction). The zero value does nothing: the policy's
// own generator computes what the trainer does.
type Correction struct {
	Mode CorrectionMode `json:"mode,omitempty"`
	Max  float64        `json:"max,omitempty"` // 0 means 3
	Min  float64        `json:"min,omitempty"`
}

// Validate reports faulty settings.
func (c Correction) Validate() error {
	switch c.Mode {
	case NoCorrection, TokenTruncate, TokenMask, SequenceTruncate, SequenceMask:
	default:
		return fmt.Errorf("rlhf: Correction.Mode: got %q, want token_truncate, token_mask, sequence_truncate, sequence_mask or none", c.Mode)
	}
	if !(c.Min >= 0) || !(c.Max >= 0) || c.Min > c.max() || math.IsInf(c.Min, 0) {
		return fmt.Errorf("rlhf: Correction: got Min %g and Max %g, want 0 ≤ Min ≤ Max", c.Min, c.Max)
	}
	return nil
}

func (c Correction) max() float64 {
	if c.Max == 0 {
		return 3
	}
	return c.Max
}

func (c Correction) perToken() bool { return c.Mode == TokenTruncate || c.Mode == TokenMask }
func (c Correction) perRow() bool   { return c.Mode == SequenceTruncate || c.Mode == SequenceMask }

// bound applies the range to a ratio.
func (c Correction) bound(ratio float64) float64 {
	switch c.Mode {
	case TokenTruncate, SequenceTruncate:
		return math.Min(math.Max(ratio, c.Min), c.max())
	case TokenMask, SequenceMask:
		if ratio < c.Min || ratio > c.max() {
			return 0
		}
	}
	return ratio
}

// difference is log π_old/π_sampler of token t; 0 where the sampler did not say, or
// the token was not sampled.
func difference(c *rollout.Completion, t int, counts bool) float64 {
	d := c.Old[t] - c.Tokens[t].SamplerLogProb
	if !counts || math.IsNaN(d) {
		return 0
	}
	return d
}

// weights appends the weight of each token of a completion, or its own once.
func (c Correction) weights(dst []float64, x *rollout.Completion, counts func(t int) bool) []float64 {
	sum := 0.0
	for t := range x.Tokens {
		d := difference(x, t, counts(t))
		sum += d
		if c.perToken() {
			dst = append(dst, c.bound(math.Exp(d)))
		}
	}
	if c.perRow() {
		dst = append(dst, c.bound(math.Exp(sum)))
	}
	return dst
}

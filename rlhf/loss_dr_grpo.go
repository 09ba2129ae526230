package rlhf

import "github.com/posttrain/posttrain/tensor"

// DrGRPO is GRPO done right: the clipped surrogate of Clip, summed over each row and
// divided by a length that is the same for all rows and steps, so that long wrong
// answers are not spared:
//
//	L = mean_i (1/Length)·Σ_t ℓ_it
//
// Liu et al. 2025, "Understanding R1-Zero-Like Training: A Critical Perspective",
// arXiv:2503.20783, §3. The paper's advantages are not divided by the standard
// deviation (advantage.GroupOptions.Scale).
//
// Length is the largest number of tokens of a completion, as in TRL; the padded
// width of a micro-batch, which verl takes, has no meaning here. It scales the
// learning rate and nothing else.
type DrGRPO struct {
	Clip   Clip    `json:"clip,omitzero"` // ε 0.2
	Level  Level   `json:"level,omitempty"`
	Length float64 `json:"length"` // tokens, required
}

// Name is "dr_grpo".
func (DrGRPO) Name() string { return "dr_grpo" }

// Average is FixedLength.
func (l DrGRPO) Average() Average { return Average{Over: FixedLength, Length: l.Length} }

// Traits implements Described.
func (DrGRPO) Traits() Traits { return Traits{Known: true, AtOld: 1, Slope: 1} }

// Validate reports a faulty range.
func (l DrGRPO) Validate() error { return l.Clip.validate("DrGRPO") }

// Build implements Loss.
func (l DrGRPO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	return l.Clip.or(defaultClip).surrogate(in, l.Level)
}

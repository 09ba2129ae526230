package rlhf

import "github.com/posttrain/posttrain/tensor"

// GRPO is group relative policy optimisation: the clipped surrogate of Clip, each
// row's tokens averaged first, so that rows of all lengths weigh the same:
//
//	L = mean_i (1/|o_i|)·Σ_t ℓ_it
//
// Shao et al. 2024, "DeepSeekMath", arXiv:2402.03300, eq. 3. Advantages are
// advantage.Group's or, for rewards of steps, advantage.Process's; the paper's KL
// term is KL{Coef: 0.04} of the Objective.
//
// A row without tokens of Mask 1 counts as 0 in the mean, as in TRL 1.16.
type GRPO struct {
	Clip  Clip  `json:"clip,omitzero"` // ε 0.2
	Level Level `json:"level,omitempty"`
}

// Name is "grpo".
func (GRPO) Name() string { return "grpo" }

// Average is MeanOfRows.
func (GRPO) Average() Average { return Average{Over: MeanOfRows} }

// Traits implements Described.
func (GRPO) Traits() Traits { return Traits{Known: true, AtOld: 1, Slope: 1} }

// Validate reports a faulty range.
func (l GRPO) Validate() error { return l.Clip.validate("GRPO") }

// Build implements Loss.
func (l GRPO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	return l.Clip.or(defaultClip).surrogate(in, l.Level)
}

// defaultClip is the range of PPO and of most that came after it.
var defaultClip = Clip{Low: 0.2}

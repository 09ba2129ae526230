package rlhf

import "github.com/posttrain/posttrain/tensor"

// BNPO is the loss that TRL calls bnpo: the clipped surrogate of Clip, averaged over
// tokens.
//
// TRL divides by the tokens of each micro-batch, which makes the result depend on
// how a batch is cut; here the mean is over the optimizer step, as for PPO, unless
// the trainer is told to average micro-batches. (The paper of that name,
// arXiv:2506.02864, is about normalising advantages, which TRL's loss is not.)
type BNPO struct {
	Clip  Clip  `json:"clip,omitzero"` // ε 0.2
	Level Level `json:"level,omitempty"`
}

// Name is "bnpo".
func (BNPO) Name() string { return "bnpo" }

// Average is MeanOfTokens.
func (BNPO) Average() Average { return Average{} }

// Traits implements Described.
func (BNPO) Traits() Traits { return Traits{Known: true, AtOld: 1, Slope: 1} }

// Validate reports a faulty range.
func (l BNPO) Validate() error { return l.Clip.validate("BNPO") }

// Build implements Loss.
func (l BNPO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	return l.Clip.or(defaultClip).surrogate(in, l.Level)
}

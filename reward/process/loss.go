package process

import (
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// Loss is the cross-entropy of every step's label, hard or soft:
//
//	L = −y·log p − (1−y)·log(1−p)
//
// in nats, where p = σ(r) is the probability that the step is good, seen at the
// last token of its separator. With a head of two labels r is the difference of
// their logits, which makes it the softmax of both. The mean is over steps, not
// over solutions, as in TRL.
//
// Lightman et al. 2023, "Let's Verify Step by Step", arXiv:2305.20050, §2.6.
type Loss struct{}

// Name is "process".
func (Loss) Name() string { return "process" }

// Traits implements reward.Loss.
func (Loss) Traits() reward.Traits {
	return reward.Traits{Need: reward.Marks, ScoreAt: reward.MarkedTokens, PerRow: true, LogOdds: true}
}

// Build implements reward.Loss.
func (Loss) Build(_ *tensor.Graph, in reward.Scores) reward.Terms {
	return reward.Terms{Loss: reward.CrossEntropy(in.Row, in.RowLabel)}
}

package rlhf

import (
	"fmt"

	"github.com/posttrain/posttrain/rlhf/advantage"
)

// GroupAdvantages compares each completion with the others of its group, as GRPO
// does: advantage.Group on each token. The KL in the reward is taken off first.
type GroupAdvantages struct {
	advantage.GroupOptions
	// NormalizeThenSum standardises the rewards of each rewarder in its group before
	// they are summed (GDPO): advantage.NormalizeThenSum. It takes no KL in the reward
	// and no clip.
	NormalizeThenSum bool
}

// Name is "group".
func (GroupAdvantages) Name() string { return "group" }

// Advantages implements AdvantageEstimator.
func (a GroupAdvantages) Advantages(in Scored) ([][]float64, error) {
	if a.NormalizeThenSum {
		return advantage.Spread(advantage.NormalizeThenSum(in.Parts, in.Weights, in.Groups, a.Epsilon), in.Mask), nil
	}
	return advantage.Spread(advantage.Group(in.Returns(), in.Groups, a.GroupOptions).Advantages, in.Mask), nil
}

// LeaveOneOutAdvantages compares each completion with the mean of the others of its
// group, as RLOO does: advantage.LeaveOneOut on each token.
type LeaveOneOutAdvantages struct {
	Standardize bool // over the rollout
}

// Name is "leave_one_out".
func (LeaveOneOutAdvantages) Name() string { return "leave_one_out" }

// Advantages implements AdvantageEstimator.
func (a LeaveOneOutAdvantages) Advantages(in Scored) ([][]float64, error) {
	return advantage.Spread(advantage.LeaveOneOut(in.Returns(), in.Groups, a.Standardize), in.Mask), nil
}

// OPOAdvantages has the baseline of least variance: advantage.OPO on each token.
type OPOAdvantages struct{}

// Name is "opo".
func (OPOAdvantages) Name() string { return "opo" }

// Advantages implements AdvantageEstimator.
func (OPOAdvantages) Advantages(in Scored) ([][]float64, error) {
	return advantage.Spread(advantage.OPO(in.Returns(), in.Lengths(), in.Groups), in.Mask), nil
}

// GPGAdvantages makes up for groups that teach nothing: advantage.GPG on each token.
type GPGAdvantages struct{}

// Name is "gpg".
func (GPGAdvantages) Name() string { return "gpg" }

// Advantages implements AdvantageEstimator.
func (GPGAdvantages) Advantages(in Scored) ([][]float64, error) {
	rows, _ := advantage.GPG(in.Returns(), in.Groups)
	return advantage.Spread(rows, in.Mask), nil
}

// ReinforcePPAdvantages are those of REINFORCE++: rewards of tokens to go, whitened
// over the rollout (advantage.ReinforcePP), or with Baseline the reward less the mean
// of its group, whitened (advantage.ReinforcePPBaseline). A reward that is not known
// counts as 0 without Baseline.
type ReinforcePPAdvantages struct {
	Baseline bool
	Gamma    float64 // discount a token; 0 means 1
}

// Name is "reinforce++".
func (ReinforcePPAdvantages) Name() string { return "reinforce++" }

// Advantages implements AdvantageEstimator.
func (a ReinforcePPAdvantages) Advantages(in Scored) ([][]float64, error) {
	if a.Baseline {
		return advantage.ReinforcePPBaseline(in.Returns(), in.Groups, in.Mask), nil
	}
	gamma := a.Gamma
	if gamma == 0 {
		gamma = 1
	}
	return advantage.ReinforcePP(in.TokenRewards(), in.Mask, gamma), nil
}

// GreedyAdvantages compares each completion with the greedy one of its prompt, as
// ReMax and self-critical training do: advantage.Greedy on each token. It needs
// rollout.Options.Greedy; one completion a prompt is usual.
type GreedyAdvantages struct{}

// Name is "greedy".
func (GreedyAdvantages) Name() string { return "greedy" }

// Advantages implements AdvantageEstimator.
func (GreedyAdvantages) Advantages(in Scored) ([][]float64, error) {
	if len(in.Greedy) != len(in.Rows) {
		return nil, fmt.Errorf("got %d rewards of greedy completions, want one for each of %d rows (rollout.Options.Greedy)", len(in.Greedy), len(in.Rows))
	}
	return advantage.Spread(advantage.Greedy(in.Returns(), in.Greedy), in.Mask), nil
}

package advantage

import "math"

// Scale says what differences from the mean reward of a group are divided by.
type Scale uint8

// The scales.
const (
	// GroupStd is the group's standard deviation.
	GroupStd Scale = iota
	// BatchStd is the standard deviation over all rows of the batch (Liu et al. 2025,
	// "Tricks or Traps?", arXiv:2508.08221).
	BatchStd
	// NoScale divides by nothing (Dr. GRPO).
	NoScale
)

// DefaultEpsilon is what TRL adds to a standard deviation before it divides (verl:
// 1e-6, OpenRLHF: 1e-9).
const DefaultEpsilon = 1e-4

// GroupOptions are those of Group. The zero value is DeepSeekMath's.
type GroupOptions struct {
	Scale   Scale
	Epsilon float64 // 0: DefaultEpsilon
}

// Grouped is what Group finds, one number a row.
type Grouped struct {
	Advantages []float64
	// Mean and Std are those of the row's group, Std that of the batch with BatchStd; NaN
	// where nothing, or only one reward, is known.
	Mean, Std []float64
}

// Group compares each row with the others of its group:
//
//	A_i = (r_i − mean(r of the group)) / (std + ε)
//
// with the deviation over n−1. Groups are told apart by id, whatever the order of rows.
// Equal rewards give exactly 0, as does a row alone in its group, or without a reward.
//
// Shao et al. 2024, "DeepSeekMath", arXiv:2402.03300, §4.1.2; Liu et al. 2025, Dr.
// GRPO, arXiv:2503.20783, leaves the division out.
func Group(rewards []float64, groups []int, o GroupOptions) Grouped {
	eps := o.Epsilon
	if eps == 0 {
		eps = DefaultEpsilon
	}
	g := Grouped{Advantages: make([]float64, len(rewards)), Mean: make([]float64, len(rewards)), Std: make([]float64, len(rewards))}
	batch := momentsOf(rewards)
	for _, rows := range members(groups) {
		m := momentsOf(take(rewards, rows))
		for _, i := range rows {
			g.Mean[i], g.Std[i] = m.mean, m.std()
			if o.Scale == BatchStd {
				g.Std[i] = batch.std()
			}
			a := rewards[i] - m.mean
			if o.Scale != NoScale {
				a /= g.Std[i] + eps
			}
			if !m.constant && !math.IsNaN(a) {
				g.Advantages[i] = a
			}
		}
	}
	return g
}

// ZeroStd is the share of rows whose group teaches nothing: all its known rewards are
// equal. Rows of groups with fewer than two known rewards are not counted as such.
func (g Grouped) ZeroStd() float64 {
	n := 0.0
	for _, s := range g.Std {
		if s < zeroStd {
			n++
		}
	}
	return n / float64(max(1, len(g.Std)))
}

// zeroStd is torch.isclose's default distance from 0.
const zeroStd = 1e-8

// LeaveOneOut compares each row with the mean of the other rows of its group:
//
//	A_i = r_i − mean_{j≠i} r_j = G/(G−1)·(r_i − mean r)
//
// A row alone in its group, or without a reward, gets 0. Where standardize is set the
// others are standardised over the batch (Standardize with DefaultEpsilon), as TRL's
// normalize_advantages.
//
// Kool et al. 2019, "Buy 4 REINFORCE Samples, Get a Baseline for Free!"; Ahmadian et al.
// 2024, arXiv:2402.14740.
func LeaveOneOut(rewards []float64, groups []int, standardize bool) []float64 {
	out := make([]float64, len(rewards))
	for _, rows := range members(groups) {
		m := momentsOf(take(rewards, rows))
		for _, i := range rows {
			switch {
			case m.n < 2 || math.IsNaN(rewards[i]):
				out[i] = math.NaN()
			case !m.constant:
				out[i] = rewards[i] - (m.sum-rewards[i])/(m.n-1)
			}
		}
	}
	if standardize {
		return Standardize(out, 0)
	}
	for i, a := range out {
		if math.IsNaN(a) {
			out[i] = 0
		}
	}
	return out
}

// OPO compares each row with the mean reward of its group in which each answer weighs
// its length, which is the baseline of least variance if the gradient of a token has
// the same size everywhere:
//
//	A_i = r_i − Σ_j L_j·r_j / Σ_j L_j
//
// Hao et al. 2025, "On-Policy RL with Optimal Reward Baseline", arXiv:2505.23585.
func OPO(rewards, lengths []float64, groups []int) []float64 {
	out := make([]float64, len(rewards))
	for _, rows := range members(groups) {
		var sum, weight float64
		for _, i := range rows {
			if !math.IsNaN(rewards[i]) {
				sum, weight = sum+lengths[i]*rewards[i], weight+lengths[i]
			}
		}
		for _, i := range rows {
			if weight > 0 && !math.IsNaN(rewards[i]) {
				out[i] = rewards[i] - sum/weight
			}
		}
	}
	return out
}

// GPG compares each row with the mean of its group and makes up for groups that teach
// nothing:
//
//	A_i = α·(r_i − mean r),  α = rows / rows in groups with more than one distinct reward
//
// Chu et al. 2025, "GPG", arXiv:2504.02546. It returns α too, 0 where no group
// teaches anything.
func GPG(rewards []float64, groups []int) (advantages []float64, alpha float64) {
	advantages = make([]float64, len(rewards))
	useful := 0.0
	for _, rows := range members(groups) {
		m := momentsOf(take(rewards, rows))
		if m.n == 0 || m.constant {
			continue
		}
		useful += float64(len(rows))
		for _, i := range rows {
			if !math.IsNaN(rewards[i]) {
				advantages[i] = rewards[i] - m.mean
			}
		}
	}
	if useful == 0 {
		return advantages, 0
	}
	alpha = float64(len(rewards)) / useful
	for i := range advantages {
		advantages[i] *= alpha
	}
	return advantages, alpha
}

// Greedy compares each row with the reward of the greedy answer to its prompt:
// A_i = r_i − r(ŷ_i).
//
// Rennie et al. 2017, "Self-critical Sequence Training for Image Captioning",
// arXiv:1612.00563; Li et al. 2024, ReMax, arXiv:2310.10505.
func Greedy(rewards, greedy []float64) []float64 {
	out := make([]float64, len(rewards))
	for i, r := range rewards {
		if a := r - greedy[i]; !math.IsNaN(a) {
			out[i] = a
		}
	}
	return out
}

package rlhf

import (
	"math"
)

// GroupAdvantages compares each completion with the others of its group:
//
//	A_i = (r_i − mean)/(std + 10⁻⁴)
//
// with n−1 in the standard deviation. Every token of a completion has the same.
// (Shao et al. 2024, DeepSeekMath, arXiv:2402.03300, §4.1.)
type GroupAdvantages struct {
	// Scale says what the difference is divided by.
	Scale Scale `json:"scale,omitempty"`
}

// Scale says what advantages are divided by.
type Scale string

// The scales.
const (
	ScaleGroup Scale = ""      // the standard deviation of the group
	ScaleBatch Scale = "batch" // that of the rollout
	ScaleNone  Scale = "none"  // nothing (Dr. GRPO)
)

// Name is "group".
func (GroupAdvantages) Name() string { return "group" }

// Advantages implements AdvantageEstimator.
func (a GroupAdvantages) Advantages(in Scored) ([][]float64, error) {
	rewards := in.returns()
	groups := map[int64][]int{}
	var order []int64
	for i, c := range in.Rows {
		if _, ok := groups[c.Group]; !ok {
			order = append(order, c.Group)
		}
		groups[c.Group] = append(groups[c.Group], i)
	}
	out := make([]float64, len(rewards))
	everything := make([]int, len(rewards))
	for i := range everything {
		everything[i] = i
	}
	_, batch := moments(rewards, everything)
	for _, g := range order {
		mean, std := moments(rewards, groups[g])
		for _, i := range groups[g] {
			d := rewards[i] - mean
			switch a.Scale {
			case ScaleGroup:
				d /= std + 1e-4
			case ScaleBatch:
				d /= batch + 1e-4
			}
			if math.IsNaN(d) {
				d = 0
			}
			out[i] = d
		}
	}
	return spread(in.Rows, out), nil
}

// moments are mean and standard deviation of the known rewards; NaN without two.
func moments(rewards []float64, list []int) (mean, std float64) {
	n := 0.0
	for _, i := range list {
		if !math.IsNaN(rewards[i]) {
			mean += rewards[i]
			n++
		}
	}
	mean /= n
	for _, i := range list {
		if !math.IsNaN(rewards[i]) {
			std += (rewards[i] - mean) * (rewards[i] - mean)
		}
	}
	return mean, math.Sqrt(std / (n - 1))
}

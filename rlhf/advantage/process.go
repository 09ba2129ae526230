package advantage

import "math"

// Step is a part of a completion that was judged by itself.
type Step struct {
	End    int // index of its last token
	Reward float64
}

// Process is the advantage of each token under process supervision: the rewards of
// all steps of a group are standardised together, and a token is told the sum of those
// of the steps that end at it or later:
//
//	r̃ = (r − mean(R)) / (std(R) + ε),  A_it = Σ_{j: End_j ≥ t} r̃_ij
//
// with R all step rewards of the group and the deviation over n−1; epsilon 0 takes
// DefaultEpsilon. Steps without a reward (NaN) are left out; lengths are those of rows.
//
// Shao et al. 2024, "DeepSeekMath", arXiv:2402.03300, §4.1.3.
func Process(steps [][]Step, lengths, groups []int, epsilon float64) [][]float64 {
	if epsilon == 0 {
		epsilon = DefaultEpsilon
	}
	out := make([][]float64, len(steps))
	for _, rows := range members(groups) {
		var all []float64
		for _, i := range rows {
			for _, s := range steps[i] {
				all = append(all, s.Reward)
			}
		}
		m := momentsOf(all)
		for _, i := range rows {
			out[i] = make([]float64, lengths[i])
			if m.constant || m.n < 2 {
				continue
			}
			for _, s := range steps[i] {
				if math.IsNaN(s.Reward) {
					continue
				}
				r := (s.Reward - m.mean) / (m.std() + epsilon)
				for t := range min(s.End+1, lengths[i]) {
					out[i][t] += r
				}
			}
		}
	}
	return out
}

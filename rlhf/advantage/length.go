package advantage

import "math"

// LengthReward is what is added to the rewards of a group for being short:
//
//	λ_i = ½ − (len_i − min len)/(max len − min len)
//
// for right answers, and min(0, λ_i) for wrong ones, so that no wrong answer is paid for
// being short; 0 where all lengths of the group are equal. correct is 1 or 0.
//
// Kimi Team 2025, "Kimi k1.5", arXiv:2501.12599, §2.3.3.
func LengthReward(correct, lengths []float64, groups []int) []float64 {
	out := make([]float64, len(lengths))
	for _, rows := range members(groups) {
		least, most := math.Inf(1), math.Inf(-1)
		for _, i := range rows {
			least, most = math.Min(least, lengths[i]), math.Max(most, lengths[i])
		}
		if least == most {
			continue
		}
		for _, i := range rows {
			out[i] = 0.5 - (lengths[i]-least)/(most-least)
			if correct[i] == 0 {
				out[i] = math.Min(0, out[i])
			}
		}
	}
	return out
}

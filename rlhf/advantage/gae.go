package advantage

// GAE is generalised advantage estimation over each row:
//
//	δ_t = r_t + γ·V_{t+1} − V_t,  A_t = δ_t + γλ·A_{t+1},  R_t = A_t + V_t
//
// where V after the last token is 0. Tokens of mask 0 (tool output, observations) get 0
// and are passed over: the value and the advantage of the next token of mask 1 stand
// behind the one before, so that putting observations in changes no advantage. (Setting
// their value to 0 instead, as some do, is right for λ = 1 only.)
//
// λ = 1, γ = 1 is return minus value; λ = 0 the one-step error. R is the target of the
// critic, TD(λ).
//
// Schulman et al. 2016, "High-Dimensional Continuous Control Using Generalized Advantage
// Estimation", arXiv:1506.02438, eq. 16.
func GAE(rewards, values, mask [][]float64, gamma, lambda float64) (advantages, returns [][]float64) {
	advantages, returns = make([][]float64, len(rewards)), make([][]float64, len(rewards))
	for i := range rewards {
		advantages[i], returns[i] = gaeRow(rewards[i], values[i], mask[i], gamma, lambda)
	}
	return advantages, returns
}

func gaeRow(rewards, values, mask []float64, gamma, lambda float64) (advantages, returns []float64) {
	advantages, returns = make([]float64, len(rewards)), make([]float64, len(rewards))
	var next, behind float64 // V_{t+1} and A_{t+1}
	for t := len(rewards) - 1; t >= 0; t-- {
		if mask[t] == 0 {
			continue
		}
		delta := rewards[t] + gamma*next - values[t]
		behind = delta + gamma*lambda*behind
		next = values[t]
		advantages[t], returns[t] = behind, behind+values[t]
	}
	return advantages, returns
}

// NStep is the n-step advantage and return of each token:
//
//	R_t = Σ_{k<n} γ^k·r_{t+k} + γ^n·V_{t+n},  A_t = R_t − V_t
//
// where V after the last token is 0. Tokens of mask 0 are passed over as in GAE. n = 1
// is GAE with λ = 0; an n of the row's length or more GAE with λ = 1.
//
// Mnih et al. 2016, arXiv:1602.01783, algorithm S3.
func NStep(rewards, values, mask [][]float64, gamma float64, n int) (advantages, returns [][]float64) {
	advantages, returns = make([][]float64, len(rewards)), make([][]float64, len(rewards))
	for i := range rewards {
		advantages[i], returns[i] = make([]float64, len(rewards[i])), make([]float64, len(rewards[i]))
		var at []int
		for t, on := range mask[i] {
			if on != 0 {
				at = append(at, t)
			}
		}
		for k, t := range at {
			sum, weight := 0.0, 1.0
			for j := k; j < min(k+n, len(at)); j++ {
				sum += weight * rewards[i][at[j]]
				weight *= gamma
			}
			if k+n < len(at) {
				sum += weight * values[i][at[k+n]]
			}
			returns[i][t], advantages[i][t] = sum, sum-values[i][t]
		}
	}
	return advantages, returns
}

// ExplainedVariance is how much of the returns' variance, over tokens of mask 1, the
// values explain: 1 − Var(R − V)/Var(R); 0 where the returns do not vary.
func ExplainedVariance(values, returns, mask [][]float64) float64 {
	var all, rest []float64
	for i := range values {
		for t, on := range mask[i] {
			if on != 0 {
				all, rest = append(all, returns[i][t]), append(rest, returns[i][t]-values[i][t])
			}
		}
	}
	m := momentsOf(all)
	if m.constant {
		return 0
	}
	return 1 - momentsOf(rest).squares/m.squares
}

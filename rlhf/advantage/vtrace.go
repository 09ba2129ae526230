package advantage

import "math"

// VTraceOptions are those of VTrace.
type VTraceOptions struct {
	Gamma, Lambda float64
	// Rho and C are ρ̄ and c̄, the most that importance weights count in the error and in
	// what is carried back.
	Rho, C float64
	// Bootstrap is V after the last token of each row; nil is 0, as for completions that
	// have ended.
	Bootstrap []float64
}

// VTrace corrects values and advantages for tokens that another policy sampled:
//
//	w_t = π/μ, ρ_t = min(ρ̄, w_t), c_t = λ·min(c̄, w_t)
//	v_t = V_t + δ_t + γ·c_t·(v_{t+1} − V_{t+1}),  δ_t = ρ_t·(r_t + γ·V_{t+1} − V_t)
//	A_t = ρ_t·(r_t + γ·v_{t+1} − V_t)
//
// over rows in which every token counts.
//
// Espeholt et al. 2018, "IMPALA", arXiv:1802.01561, eq. 1 and §4.2.
func VTrace(policy, behaviour, rewards, values [][]float64, o VTraceOptions) (targets, advantages [][]float64) {
	targets, advantages = make([][]float64, len(rewards)), make([][]float64, len(rewards))
	for i := range rewards {
		n := len(rewards[i])
		targets[i], advantages[i] = make([]float64, n), make([]float64, n)
		var value, target float64 // V_{t+1} and v_{t+1}
		if o.Bootstrap != nil {
			value, target = o.Bootstrap[i], o.Bootstrap[i]
		}
		for t := n - 1; t >= 0; t-- {
			w := math.Exp(policy[i][t] - behaviour[i][t])
			rho, c := math.Min(o.Rho, w), o.Lambda*math.Min(o.C, w)
			v, r := values[i][t], rewards[i][t]
			advantages[i][t] = rho * (r + o.Gamma*target - v)
			targets[i][t] = v + rho*(r+o.Gamma*value-v) + o.Gamma*c*(target-value)
			value, target = v, targets[i][t]
		}
	}
	return targets, advantages
}

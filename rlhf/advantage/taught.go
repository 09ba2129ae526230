package advantage

// MixerSchedule is MIXER's curriculum: how many of a completion's first tokens are
// taught from the data in each epoch. They start as all of them and become fewer by
// Delta every Epochs epochs; what follows them is sampled and learnt by REINFORCE.
//
// Ranzato et al. 2016, "Sequence Level Training with Recurrent Neural Networks",
// arXiv:1511.06732, algorithm 1 (Δ 2 or 3, N_XE 20 to 25 epochs, N_XE+R 5). The survey
// prints a weighted sum of both losses instead; Taught makes that too.
type MixerSchedule struct {
	Length      int // tokens of a completion
	Delta       int // Δ: fewer taught tokens each time
	WarmUp      int // N_XE: epochs in which all tokens are taught
	EpochsAStep int // N_XE+R
}

// TaughtTokens is how many tokens are taught in an epoch, counted from 0.
func (s MixerSchedule) TaughtTokens(epoch int) int {
	if epoch < s.WarmUp {
		return s.Length
	}
	return max(0, s.Length-s.Delta*(1+(epoch-s.WarmUp)/max(1, s.EpochsAStep)))
}

// Taught is what −log π weighs at given tokens (rlhf.Tokens.Taught) for
//
//	coefficient · (mean of −log π over the given tokens)
//
// to stand beside a loss that is divided by denominator: the supervised part λ of MIXER,
// the pretraining part γ of PPO-ptx. given is 1 at such tokens, over the whole optimizer
// step.
//
// Ouyang et al. 2022, InstructGPT, arXiv:2203.02155, eq. 2 (γ 27.8).
func Taught(given [][]float64, coefficient, denominator float64) [][]float64 {
	n := 0.0
	for _, g := range given {
		n += sum(g)
	}
	out := make([][]float64, len(given))
	for i, g := range given {
		out[i] = make([]float64, len(g))
		for t, on := range g {
			if on != 0 {
				out[i][t] = coefficient * denominator / n
			}
		}
	}
	return out
}

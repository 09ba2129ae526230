package advantage

import "math"

// Correction says how to make up for a sampler whose arithmetic differs from the
// trainer's: ρ = π_old/π_sampler, by token or for whole rows, is either truncated or, out
// of its bounds, set to 0.
type Correction uint8

// The corrections, with TRL's names (vllm_importance_sampling_mode).
const (
	NoCorrection     Correction = iota
	TokenTruncate               // token_truncate (Yao et al. 2025, "Your Efficient RL Framework Secretly Brings You Off-Policy RL Training")
	TokenMask                   // token_mask ("IcePop")
	SequenceTruncate            // sequence_truncate: ρ of a row is the product over its tokens
	SequenceMask                // sequence_mask
)

// Mismatch is what Correct finds.
type Mismatch struct {
	// Token is the weight of each token (TokenTruncate, TokenMask), Row that of each row
	// (SequenceTruncate, SequenceMask); the other one is nil.
	Token [][]float64
	Row   []float64
	// Kept is the share of tokens of mask 1 whose weight is not 0. A long answer needs
	// only a drift of 1e-3 nats a token for SequenceMask to drop it: watch this number.
	Kept float64
	// MeanDifference and MaxDifference are those of |log π_old − log π_sampler| over tokens
	// of mask 1 whose sampler's number is known.
	MeanDifference, MaxDifference float64
}

// Bounds are those of ρ; the zero value is (0, 3], TRL's.
type Bounds struct{ Min, Max float64 }

// Correct weighs tokens of mask 1 by ρ = exp(old − sampler). Where the sampler's number
// is not known (NaN) ρ is 1, as it is at tokens of mask 0.
func Correct(old, sampler, mask [][]float64, c Correction, b Bounds) Mismatch {
	if b.Max == 0 {
		b.Max = 3
	}
	var m Mismatch
	var tokens, kept, known float64
	for i := range mask {
		logs, found := m.differences(old[i], sampler[i], mask[i])
		known += found
		n, on := 0.0, 0.0
		switch c {
		case TokenTruncate, TokenMask:
			weights := make([]float64, len(logs))
			for t, d := range logs {
				weights[t] = b.weight(d, c)
				if mask[i][t] != 0 && weights[t] != 0 {
					on++
				}
			}
			m.Token = append(m.Token, weights)
		case SequenceTruncate, SequenceMask:
			m.Row = append(m.Row, b.weight(sum(logs), c))
		}
		for _, v := range mask[i] {
			if v != 0 {
				n++
			}
		}
		if m.Token == nil && (m.Row == nil || m.Row[i] != 0) {
			on = n
		}
		tokens, kept = tokens+n, kept+on
	}
	m.Kept = kept / math.Max(1, tokens)
	m.MeanDifference /= math.Max(1, known)
	return m
}

// differences are log ρ of each token and how many are known; it adds up how large
// they are.
func (m *Mismatch) differences(old, sampler, mask []float64) (logs []float64, known float64) {
	logs = make([]float64, len(mask))
	for t, on := range mask {
		d := old[t] - sampler[t]
		if on == 0 || math.IsNaN(d) {
			continue
		}
		known++
		logs[t] = d
		m.MeanDifference += math.Abs(d)
		m.MaxDifference = math.Max(m.MaxDifference, math.Abs(d))
	}
	return logs, known
}

func sum(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total
}

// weight is the corrected e^log.
func (b Bounds) weight(log float64, c Correction) float64 {
	rho := math.Exp(log)
	switch c {
	case TokenTruncate, SequenceTruncate:
		return math.Max(b.Min, math.Min(b.Max, rho))
	case TokenMask, SequenceMask:
		if rho < b.Min || rho > b.Max {
			return 0
		}
	}
	return rho
}

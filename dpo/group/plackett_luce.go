package group

import (
	"math"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/tensor"
)

// PlackettLuce is DPO on rankings y₁ ≻ … ≻ y_n:
//
//	L = Σ_{i<n} [log Σ_{j≥i} e^{β·s(y_j)} − β·s(y_i)]
//
// which is −log of the probability that choosing the best of what is left, one by
// one, gives the ranking. The sum runs over j ≥ i: with all j in every factor, as
// the survey prints, each order would have the same probability.
//
// Rafailov et al. 2023, arXiv:2305.18290, appendix A.3, after Plackett 1975
// and Luce 1959. With n = 2 it is dpo.Sigmoid.
//
// At π = π₀ the loss is ln n!.
type PlackettLuce struct {
	N int `json:"n"` // answers of a ranking, at least 2
}

// Name is "plackett_luce".
func (PlackettLuce) Name() string { return "plackett_luce" }

// Traits implements dpo.Described.
func (l PlackettLuce) Traits(float64) dpo.Traits {
	v, _ := math.Lgamma(float64(l.N + 1))
	return dpo.Traits{Known: true, AtReference: v}
}

// Validate reports a faulty size.
func (l PlackettLuce) Validate() error { return checkSize("PlackettLuce.N", l.N, 2) }

// CheckSource implements dpo.Selective.
func (l PlackettLuce) CheckSource(src dpo.StepSource) error {
	return checkSource(l, src, rankings, l.N-1)
}

// Build implements dpo.Loss. Pair i of a ranking holds the i-th answer and the next.
// The loss of the ranking is that of each of its n−1 pairs, so that the mean over
// pairs is the mean over rankings.
func (l PlackettLuce) Build(_ *tensor.Graph, in dpo.LogProbs) dpo.Terms {
	require(l)
	c, r := in.Scores()
	c, r = tensor.Scale(c, in.Beta), tensor.Scale(r, in.Beta)
	factor := tensor.Sub(tailLogSum(c, r, l.N-1), c)
	return dpo.Terms{Loss: tensor.Scale(groupMean(factor, l.N-1), float64(l.N-1))}
}

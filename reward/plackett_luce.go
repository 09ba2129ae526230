package reward

import "github.com/posttrain/posttrain/tensor"

// PlackettLuce is the loss of whole rankings: the best answer is chosen first,
// the next one among those that are left, and so on,
//
//	P(y₁ ≻ … ≻ y_K) = Π_l e^(r_l) / Σ_{k≥l} e^(r_k),  L = −log P
//
// in nats. With K = 2 it is BradleyTerry without margin. The survey prints the sum
// over all k in every factor (erratum E5): that product is the same for every
// order, so it teaches none.
//
// Plackett 1975; Luce 1959; for reward models: Zhu et al. 2023,
// arXiv:2301.11270, eq. 3.
type PlackettLuce struct{}

// Name is "plackett_luce".
func (PlackettLuce) Name() string { return "plackett_luce" }

// Traits implements Loss.
func (PlackettLuce) Traits() Traits { return Traits{Need: Ranking} }

// Build implements Loss.
func (PlackettLuce) Build(_ *tensor.Graph, in Scores) Terms {
	left := SuffixLogSumExp(in.Answer, in.AnswerEnds)
	return Terms{Loss: tensor.SegmentSum(tensor.Sub(left, in.Answer), in.AnswerEnds)}
}

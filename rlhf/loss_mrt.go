package rlhf

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// MRT is minimum risk training: the expected risk over the sampled answers of a prompt,
// under their own probabilities, sharpened and renormalised among them:
//
//	L = mean_g Σ_{i∈g} Q_i·(−A_i),  Q_i = P_i^α / Σ_{j∈g} P_j^α
//
// with P_i = Π_t π(o_it) over all tokens of an answer. Its gradient is
// −α·Σ_i Q_i·(A_i − E_Q A)·∇log P_i, so that A may be the plain reward: what a whole
// group shares drops out.
//
// Shen et al. 2016, "Minimum Risk Training for Neural Machine Translation",
// arXiv:1512.02433: α 5e-3 with 100 samples. With all answers sampled and
// α = 1 it is the exact policy gradient. The paper leaves duplicates out of a group;
// so should its caller.
//
// A group must not be cut between micro-batches. Groups of unequal size weigh as many
// rows as they have.
type MRT struct {
	Alpha float64 `json:"alpha,omitempty"` // α: 0.005
}

// Name is "mrt".
func (MRT) Name() string { return "mrt" }

// Average is MeanOfRows.
func (MRT) Average() Average { return Average{Over: MeanOfRows} }

// Traits implements Described.
func (MRT) Traits() Traits { return Traits{WholeGroups: true} }

// Validate reports a faulty α.
func (l MRT) Validate() error {
	if !(l.Alpha >= 0) || math.IsInf(l.Alpha, 0) {
		return fmt.Errorf("rlhf: MRT: Alpha is %g, want more than 0 (0 takes the default)", l.Alpha)
	}
	return nil
}

// Build implements Loss.
func (l MRT) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	if in.GroupEnds == nil || in.Group == nil {
		tensor.Fail("rlhf: MRT: Tokens.GroupEnds or Group is nil")
	}
	spread := func(group *tensor.Node) *tensor.Node { return tensor.Gather(group, in.Group) }
	log := tensor.Scale(in.RowSum(in.LogProb), orDefault(l.Alpha, 0.005))
	sharp := tensor.Exp(tensor.Sub(log, spread(segmentMax(log, in.GroupEnds))))
	q := tensor.Div(sharp, spread(tensor.SegmentSum(sharp, in.GroupEnds)))
	advantage := in.rowAdvantage()
	ones := tensor.AddScalar(tensor.Scale(positive(advantage), 0), 1)
	size := spread(tensor.SegmentSum(ones, in.GroupEnds))
	return Terms{Row: tensor.Neg(tensor.Mul(tensor.Mul(size, q), advantage))}
}

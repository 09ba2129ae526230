package rlhf

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// GMPO is geometric-mean policy optimisation: one ratio for a row, the geometric mean
// of its tokens' ratios, each clipped before towards the side that A asks for:
//
//	L = −mean_i A_i·exp(mean_t c(log w_it))
//	c(x) = min(x, ε') where A > 0, max(x, −ε) else
//
// Zhao et al. 2025, "Geometric-Mean Policy Optimization", arXiv:2507.20673;
// Low and High bound log-ratios here: ε = ε' = 0.4.
//
// Differs from GSPO, which clips after averaging. A row without tokens of Mask 1 has
// the ratio 1.
type GMPO struct {
	Clip Clip `json:"clip,omitzero"` // ε 0.4; Cap and Dual have no part
}

// Name is "gmpo".
func (GMPO) Name() string { return "gmpo" }

// Average is MeanOfRows.
func (GMPO) Average() Average { return Average{Over: MeanOfRows} }

// Traits implements Described.
func (GMPO) Traits() Traits { return Traits{Known: true, AtOld: 1, Slope: 1} }

// Validate reports a faulty range.
func (l GMPO) Validate() error { return l.Clip.validate("GMPO") }

// Build implements Loss.
func (l GMPO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	c := l.Clip.or(Clip{Low: 0.4})
	log, advantage := in.LogRatio(), in.rowAdvantage()
	up := in.Spread(positive(advantage))
	down := choose(up, 0, 1)
	clipped := tensor.Add(tensor.Mul(up, tensor.Clip(log, math.Inf(-1), c.High)), tensor.Mul(down, tensor.Clip(log, -c.Low, math.Inf(1))))
	mean := in.RowMean(clipped)
	if in.Keep != nil {
		kept := tensor.Clip(in.RowSum(in.Keep), 1, math.Inf(1))
		mean = tensor.Div(in.RowSum(tensor.Mul(clipped, in.Keep)), kept)
	}
	falling := in.Spread(positive(tensor.Neg(advantage)))
	low, high := tensor.Mul(fallsBelow(log, -c.Low), falling), tensor.Mul(exceeds(log, c.High), up)
	return Terms{
		Row:     tensor.Neg(tensor.Mul(advantage, tensor.Exp(mean))),
		Metrics: clipMetrics(in, low, high, TokenLevel),
	}
}

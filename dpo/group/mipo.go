package group

import (
	"fmt"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/tensor"
)

// MIPO is IPO between groups of answers:
//
//	L = (h − 1/(2β))²,  h = mean_{y∈G⁺} s(y) − mean_{y∈G⁻} s(y)
//
// with s divided by the length of its answer (dpo.PerToken) or not
// (dpo.PerSequence), as in dpo.IPO.
//
// With Unbiased the variance that the means of finite groups have is subtracted,
//
//	L = (h − 1/(2β))² − (v⁺ + v⁻)/k
//
// for the sample variances v of both groups (k−1 in the denominator), which makes
// it an unbiased estimate of what groups without end would give: E[h̄²] = h² +
// Var(h̄). It can be negative.
//
// Wang et al. 2024, arXiv:2410.12138 (mIPO). That the correction is theirs to the
// last constant was not checked; it follows from the variance of a mean. With k = 1
// MIPO is dpo.IPO.
//
// At π = π₀ the loss is 1/(4β²).
type MIPO struct {
	K        int               `json:"k"` // answers on each side, at least 1; 2 with Unbiased
	Over     dpo.Normalisation `json:"over,omitempty"`
	Unbiased bool              `json:"unbiased,omitempty"`
}

// Name is "mipo".
func (MIPO) Name() string { return "mipo" }

// Traits implements dpo.Described.
func (MIPO) Traits(beta float64) dpo.Traits {
	return dpo.Traits{Known: true, AtReference: 1 / (4 * beta * beta)}
}

// Validate reports a faulty size.
func (l MIPO) Validate() error {
	if l.Over > dpo.PerSequence {
		return fmt.Errorf("group: MIPO.Over: got %d, want dpo.PerToken or dpo.PerSequence", l.Over)
	}
	if l.Unbiased {
		return checkSize("MIPO.K with Unbiased", l.K, 2)
	}
	return checkSize("MIPO.K", l.K, 1)
}

// CheckSource implements dpo.Selective.
func (l MIPO) CheckSource(src dpo.StepSource) error { return checkSource(l, src, groups, l.K) }

// Build implements dpo.Loss.
func (l MIPO) Build(_ *tensor.Graph, in dpo.LogProbs) dpo.Terms {
	require(l)
	c, r := in.Scores()
	if l.Over == dpo.PerToken {
		c, r = tensor.Div(c, in.ChosenTokens), tensor.Div(r, in.RejectedTokens)
	}
	h := groupMean(tensor.Sub(c, r), l.K)
	loss := tensor.Square(tensor.AddScalar(h, -1/(2*in.Beta)))
	if l.Unbiased {
		spread := tensor.Add(variance(c, l.K), variance(r, l.K))
		loss = tensor.Sub(loss, tensor.Scale(spread, 1/float64(l.K)))
	}
	return dpo.Terms{Loss: loss}
}

// variance is the sample variance of each group, with k−1 in the denominator.
func variance(x *tensor.Node, k int) *tensor.Node {
	d := tensor.Sub(x, groupMean(x, k))
	return tensor.Scale(groupMean(tensor.Square(d), k), float64(k)/float64(k-1))
}

package guard

import "math"

// Curve is how gold reward depends on the distance d = √KL(π‖π₀) that optimising a proxy
// has gone: R(d) = d·(α − β·d) for best-of-n sampling, d·(α − β·ln d) for reinforcement
// learning.
//
// Gao et al. 2023, "Scaling Laws for Reward Model Overoptimization", arXiv:2210.10760,
// eq. 1 and 2. Fitted to a pilot run it says where to stop the next one (KLBudget).
type Curve struct {
	Alpha, Beta float64
	Logarithm   bool    // reinforcement learning's form
	RMSE        float64 // of the fit
}

// FitBestOfN fits d·(α − β·d) to gold rewards, relative to that of π₀, by least squares.
func FitBestOfN(d, gold []float64) Curve { return fit(d, gold, false) }

// FitRL fits d·(α − β·ln d).
func FitRL(d, gold []float64) Curve { return fit(d, gold, true) }

func (c Curve) bend(d float64) float64 {
	switch {
	case d == 0:
		return 0
	case c.Logarithm:
		return d * math.Log(d)
	}
	return d * d
}

// At is the gold reward at a distance.
func (c Curve) At(d float64) float64 { return c.Alpha*d - c.Beta*c.bend(d) }

// Peak is the distance of the best gold reward: α/2β, or e^(α/β−1); +Inf where there is none.
func (c Curve) Peak() float64 {
	switch {
	case c.Beta <= 0:
		return math.Inf(1)
	case c.Logarithm:
		return math.Exp(c.Alpha/c.Beta - 1)
	}
	return c.Alpha / (2 * c.Beta)
}

// fit solves the two normal equations.
func fit(d, gold []float64, logarithm bool) Curve {
	c := Curve{Logarithm: logarithm}
	var xx, xy, yy, xr, yr float64
	for i, x := range d {
		y := -c.bend(x)
		xx, xy, yy = xx+x*x, xy+x*y, yy+y*y
		xr, yr = xr+x*gold[i], yr+y*gold[i]
	}
	if det := xx*yy - xy*xy; det > 0 {
		c.Alpha, c.Beta = (xr*yy-yr*xy)/det, (yr*xx-xr*xy)/det
	}
	for i, x := range d {
		e := c.At(x) - gold[i]
		c.RMSE += e * e / float64(len(d))
	}
	c.RMSE = math.Sqrt(c.RMSE)
	return c
}

// BestOfNKL is the KL of the best of n samples to the policy they come from, in nats:
// ln n − (n−1)/n, exact where no two have the same reward.
func BestOfNKL(n int) float64 { return math.Log(float64(n)) - float64(n-1)/float64(n) }

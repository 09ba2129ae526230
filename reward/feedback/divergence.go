package feedback

import (
	"fmt"
	"math"
)

// Pull is how far scores go with two things, as Pearson's correlations.
type Pull struct {
	Engagement float64 `json:"engagement"` // with what users are drawn by: place, length, dwell time, a catching title
	Gold       float64 `json:"gold"`       // with what is known to be good
}

// Divergence measures the risk of implicit feedback, that a reward model learns what
// is engaging in place of what is good, on answers of which both are known.
func Divergence(scores, engagement, gold []float64) (Pull, error) {
	if len(scores) < 2 || len(engagement) != len(scores) || len(gold) != len(scores) {
		return Pull{}, fmt.Errorf("feedback: Divergence: got %d scores, %d and %d values, want as many of each, two at least", len(scores), len(engagement), len(gold))
	}
	return Pull{correlation(scores, engagement), correlation(scores, gold)}, nil
}

// correlation is Pearson's; NaN where one side is constant.
func correlation(x, y []float64) float64 {
	n := float64(len(x))
	var mx, my, xx, yy, xy float64
	for i := range x {
		mx, my = mx+x[i]/n, my+y[i]/n
	}
	for i := range x {
		a, b := x[i]-mx, y[i]-my
		xx, yy, xy = xx+a*a, yy+b*b, xy+a*b
	}
	return xy / math.Sqrt(xx*yy)
}

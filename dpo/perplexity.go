package dpo

import (
	"fmt"
	"math"
	"slices"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// Perplexity is exp(−mean log-probability) of a text's tokens; that of a text
// without tokens is 1.
func Perplexity(logProbs []float64) float64 {
	if len(logProbs) == 0 {
		return 1
	}
	sum := 0.0
	for _, v := range logProbs {
		sum += v
	}
	return math.Exp(-sum / float64(len(logProbs)))
}

// PerplexityBound is the perplexity that the given share of texts, sampled by the
// reference itself, stays below: the quantile, interpolated linearly. The usual
// share is 0.95.
func PerplexityBound(own []float64, share float64) (float64, error) {
	if len(own) == 0 || !(share > 0 && share <= 1) {
		return 0, fmt.Errorf("dpo: PerplexityBound: got %d perplexities and a share of %g, want one at least and a share in (0, 1]", len(own), share)
	}
	sorted := slices.Sorted(slices.Values(own))
	at := share * float64(len(sorted)-1)
	lo := int(at)
	if lo+1 == len(sorted) {
		return sorted[lo], nil
	}
	return sorted[lo] + (at-float64(lo))*(sorted[lo+1]-sorted[lo]), nil
}

// PerplexityReport says what a perplexity filter did.
type PerplexityReport struct {
	Rows       int     `json:"rows"`
	Kept       int     `json:"kept"`
	Improbable int     `json:"improbable"` // chosen answers above the bound
	Bound      float64 `json:"bound"`
	Median     float64 `json:"median"` // perplexity of the chosen answers
	Highest    float64 `json:"highest"`

	FirstImprobable data.Place `json:"-"`
}

// String says in one line what happened.
func (r PerplexityReport) String() string {
	s := fmt.Sprintf("%d of %d pairs with a chosen answer below perplexity %.4g (median %.4g, highest %.4g)", r.Kept, r.Rows, r.Bound, r.Median, r.Highest)
	if r.Improbable > 0 {
		s += fmt.Sprintf("; first above: %v", r.FirstImprobable)
	}
	return s
}

// FilterPerplexity splits off pairs whose chosen answer the reference finds too
// improbable to have written itself: preference optimisation against a reference
// tells little about such answers. s are the reference's scores of all pairs. Use
// the pairs that are kept, or the report alone.
//
// The survey (§3.2.6) keeps answers below the 95th percentile of
// the perplexity of the reference's own samples; see PerplexityBound.
func FilterPerplexity(s *Scores, bound float64) (kept []Pair, r PerplexityReport) {
	r = PerplexityReport{Rows: len(s.pairs), Bound: bound}
	var all []float64
	for i, p := range s.pairs {
		v := Perplexity(s.Chosen(i))
		all = append(all, v)
		if v <= bound {
			kept = append(kept, p)
			continue
		}
		policy.Count(&r.Improbable, &r.FirstImprobable, p.At)
	}
	r.Kept = len(kept)
	if len(all) > 0 {
		slices.Sort(all)
		r.Median, r.Highest = all[len(all)/2], all[len(all)-1]
	}
	return kept, r
}

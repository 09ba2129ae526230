package eval

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is a confidence interval.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Wilson is the score interval of a share, successes of n: it stays inside 0 to 1
// and is honest for few items and for shares near the ends. Without items it is
// 0 to 1.
//
// Wilson 1927, "Probable inference, the law of succession, and statistical
// inference", JASA 22.
func Wilson(successes, n int, confidence float64) Interval {
	if n == 0 {
		return Interval{0, 1}
	}
	z, count := quantile(confidence), float64(n)
	p := float64(successes) / count
	scale := 1 / (1 + z*z/count)
	center := (p + z*z/(2*count)) * scale
	half := z * math.Sqrt(p*(1-p)/count+z*z/(4*count*count)) * scale
	w := Interval{center - half, center + half}
	if successes == 0 {
		w.Low = 0 // exactly, where rounding would leave something
	}
	if successes == n {
		w.High = 1
	}
	return w
}

// NormalMean is the interval of a mean by the normal approximation: mean ± z·s/√n
// with s the sample's standard deviation (n−1). With fewer than two values it is
// without bounds.
func NormalMean(values []float64, confidence float64) Interval {
	n := float64(len(values))
	if n < 2 {
		return Interval{math.Inf(-1), math.Inf(1)}
	}
	mean := sum(values) / n
	squares := 0.0
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	half := quantile(confidence) * math.Sqrt(squares/(n-1)/n)
	return Interval{mean - half, mean + half}
}

// quantile is how many standard deviations a two-sided interval reaches.
func quantile(confidence float64) float64 {
	return distuv.UnitNormal.Quantile(0.5 + confidence/2)
}

func sum(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total
}

// McNemar is the exact two-sided p-value for two judgements of the same items,
// where onlyFirst items were right in the first alone and onlySecond in the
// second alone: the probability that as uneven a split comes of fair coins.
//
// McNemar 1947, Psychometrika 12; exact form, a binomial test on the items that
// differ.
func McNemar(onlyFirst, onlySecond int) float64 {
	n := onlyFirst + onlySecond
	if n == 0 {
		return 1
	}
	coin := distuv.Binomial{N: float64(n), P: 0.5}
	return min(1, 2*coin.CDF(float64(min(onlyFirst, onlySecond))))
}

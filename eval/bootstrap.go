package eval

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/posttrain/posttrain/internal/kernel"
)

// Bootstrap estimates uncertainty by drawing items again, with replacement. The
// zero value draws 2,000 times for 95 % intervals. Equal seeds give equal bits.
//
// Efron 1979, "Bootstrap methods", Annals of Statistics 7; percentile intervals.
type Bootstrap struct {
	Resamples  int     // 0 means 2,000
	Confidence float64 // 0 means 0.95
	Seed       uint64
}

// Validate reports everything wrong with b.
func (b Bootstrap) Validate() error {
	var errs []error
	if b.Resamples < 0 || b.Resamples > 1<<24 {
		errs = append(errs, fmt.Errorf("eval: Resamples: got %d, want 1 to %d, or 0 for 2,000", b.Resamples, 1<<24))
	}
	if !(b.Confidence >= 0 && b.Confidence < 1) {
		errs = append(errs, fmt.Errorf("eval: Confidence: got %g, want a share below 1, or 0 for 0.95", b.Confidence))
	}
	return errors.Join(errs...)
}

func (b Bootstrap) withDefaults() Bootstrap {
	if b.Resamples == 0 {
		b.Resamples = 2000
	}
	if b.Confidence == 0 {
		b.Confidence = 0.95
	}
	return b
}

// resamplePurpose keeps these random numbers apart from those of training and
// sampling.
const resamplePurpose = 0xb007

// indices draws len(to) items of n for resample r.
func (b Bootstrap) indices(to []int32, n, r int) {
	var words [4]uint32
	for i := range to {
		if i%4 == 0 {
			words = kernel.Philox(b.Seed, [4]uint32{uint32(i / 4), uint32(r), uint32(r >> 32), resamplePurpose})
		}
		high, _ := bits.Mul32(words[i%4], uint32(n))
		to[i] = int32(high)
	}
}

// distribution is the statistic of every resample of n items, ascending.
func (b Bootstrap) distribution(n int, statistic func(index []int32) float64) []float64 {
	index, stats := make([]int32, n), make([]float64, b.Resamples)
	for r := range stats {
		b.indices(index, n, r)
		stats[r] = statistic(index)
	}
	slices.Sort(stats)
	return stats
}

// percentiles is the central interval of sorted values.
func percentiles(sorted []float64, confidence float64) Interval {
	tail := (1 - confidence) / 2
	return Interval{percentile(sorted, tail), percentile(sorted, 1-tail)}
}

// percentile interpolates linearly between the neighbours (type 7 of Hyndman and
// Fan 1996, numpy's default).
func percentile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	lo := min(int(at), len(sorted)-1)
	hi := min(lo+1, len(sorted)-1)
	return sorted[lo] + (at-float64(lo))*(sorted[hi]-sorted[lo])
}

// randomizationP is the two-sided p-value that before and after do not differ: the
// share of resamples with at least as large a difference when each item's two
// results are swapped by a coin, the observed one counted too. Unlike a p-value
// from the bootstrap it stays honest for few items.
//
// Noreen 1989, "Computer-Intensive Methods for Testing Hypotheses"; (1+k)/(1+R).
func (b Bootstrap) randomizationP(before, after *Measurement) float64 {
	observed := math.Abs(after.Value() - before.Value())
	atLeast := 1
	for r := range b.Resamples {
		if b.swapped(before, after, r) >= observed*(1-swapSlack) {
			atLeast++
		}
	}
	return float64(atLeast) / float64(1+b.Resamples)
}

// swapSlack keeps rounding from telling apart differences that are equal.
const swapSlack = 1e-12

// swapPurpose keeps the coins apart from the draws of items.
const swapPurpose = 0x54a9

// swapped is the absolute difference after the items' results were swapped by the
// coins of resample r.
func (b Bootstrap) swapped(before, after *Measurement, r int) float64 {
	var num, den [2]float64
	var words [4]uint32
	for i := range before.Num {
		if i%128 == 0 {
			words = kernel.Philox(b.Seed, [4]uint32{uint32(i / 128), uint32(r), uint32(r >> 32), swapPurpose})
		}
		coin := words[i%128/32] >> (i % 32) & 1
		num[coin] += before.Num[i]
		den[coin] += before.Den[i]
		num[1-coin] += after.Num[i]
		den[1-coin] += after.Den[i]
	}
	return math.Abs(after.finish(num[1], den[1]) - before.finish(num[0], den[0]))
}

package report

import (
	"math"
	"strconv"
)

// scale maps values to 0…1, linearly or by their logarithm.
type scale struct {
	low, high float64
	log       bool
}

// newScale covers low to high with some room; a single value gets room around
// it. A logarithmic scale needs low > 0.
func newScale(low, high float64, log bool) scale {
	if log {
		room := math.Pow(high/low, 0.05)
		if s := (scale{low / room, high * room, true}); s.low > 0 && finite(s.high) && s.low < s.high {
			return s
		}
	}
	room := (high/2 - low/2) * 0.1 // halves: the difference of huge values overflows
	if room <= 1e-9*math.Max(math.Abs(low), math.Abs(high)) {
		room = math.Max(math.Abs(high)*0.1, math.SmallestNonzeroFloat64*1e20)
		if high == 0 {
			room = 1
		}
	}
	return scale{math.Max(low-room, -math.MaxFloat64), math.Min(high+room, math.MaxFloat64), false}
}

// at is the place of v.
func (s scale) at(v float64) float64 {
	if s.log {
		return math.Log(v/s.low) / math.Log(s.high/s.low)
	}
	return (v/2 - s.low/2) / (s.high/2 - s.low/2)
}

// tick is a labelled place on an axis.
type tick struct {
	value float64
	label string
}

// ticks are about want round values within the scale.
func (s scale) ticks(want int) []tick {
	if s.log {
		if all := s.decades(want); len(all) >= 2 {
			return all
		}
	}
	step := roundStep((s.high/2 - s.low/2) / float64(want) * 2)
	if !finite(step) || step <= 0 {
		return nil
	}
	var all []tick
	first := math.Ceil(s.low / step)
	for i := 0.0; i <= 2*float64(want); i++ {
		v := (first + i) * step
		if !finite(v) || v > s.high {
			break
		}
		all = append(all, tick{v, tickLabel(v, step)})
	}
	return all
}

// roundStep is the smallest of 1, 2, 5, 10 … that is at least least.
func roundStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= least*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// tickLabel writes a multiple of step with as many digits as step needs.
func tickLabel(v, step float64) string {
	abs := math.Abs(v)
	switch {
	case abs < step/2:
		return "0"
	case step < 1.5e-4 || abs >= 1e15:
		return exponent(v, max(0, int(math.Floor(math.Log10(abs)+1e-9))-int(math.Floor(math.Log10(step)+1e-9))))
	case step >= 1e5:
		return trimZeros(strconv.FormatFloat(v/1e6, 'f', 1, 64)) + "M"
	case step >= 1e3:
		return formatFixed(v/1e3, 0) + "k"
	}
	return formatFixed(v, max(0, -int(math.Floor(math.Log10(step)+1e-9))))
}

// decades are powers of ten, or also 2 and 5 times these when there are few.
func (s scale) decades(want int) []tick {
	from, to := math.Floor(math.Log10(s.low)), math.Ceil(math.Log10(s.high))
	factors, every := []float64{1}, math.Ceil((to-from)/float64(want))
	if to-from <= 2 {
		factors = []float64{1, 2, 5}
	}
	var all []tick
	for power := from; power <= to; power += every {
		for _, f := range factors {
			if v := f * math.Pow(10, power); v >= s.low && v <= s.high {
				all = append(all, tick{v, tickLabel(v, math.Pow(10, power))})
			}
		}
	}
	return all
}

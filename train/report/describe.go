package report

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// coordinate writes a place to a tenth of a unit.
func coordinate(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

// data lists points for the script: differences of steps, and values.
func data(runs [][]point) (steps, values string) {
	var s, v []byte
	var before int64
	for _, run := range runs {
		for _, p := range run {
			s = append(strconv.AppendInt(s, p.step-before, 10), ' ')
			v = append(strconv.AppendFloat(v, p.value, 'g', digits, 64), ' ')
			before = p.step
		}
	}
	return strings.TrimSpace(string(s)), strings.TrimSpace(string(v))
}

// summary says in words what a series does.
func (s *series) summary() string {
	if s.n == 0 {
		return "no finite value"
	}
	low, high := s.extremes()
	text := format(s.first.value) + " → " + format(s.last.value)
	if s.n == 1 {
		text = format(s.last.value)
	}
	if low.value == high.value && s.n > 1 {
		return format(s.last.value) + " throughout"
	}
	for _, e := range []struct {
		word string
		p    point
	}{{"lowest", low}, {"highest", high}} {
		if e.p.value != s.first.value && e.p.value != s.last.value {
			text += ", " + e.word + " " + format(e.p.value) + " at step " + formatInt(e.p.step)
		}
	}
	return text
}

// fault says that values were not finite.
func (s *series) fault() string {
	switch {
	case s.bad == 0:
		return ""
	case s.bad == 1:
		return "not finite at step " + formatInt(s.firstBad)
	}
	return "not finite " + formatInt(int64(s.bad)) + " times, first at step " + formatInt(s.firstBad)
}

// median is the middle of the buckets' means, near the median of the points.
func (s *series) median() float64 {
	var means []float64
	for _, b := range s.buckets {
		if b.n > 0 {
			means = append(means, b.mean)
		}
	}
	slices.Sort(means)
	return means[len(means)/2]
}

// Smoothing: a line is noise when it changes its direction often, and its trend
// is a moving average over a part of its length.
const (
	noisyFrom  = 60 // points; fewer can be read as they are
	noisyTurns = 4  // points a turn, at most
	trendShare = 40 // a window of 1/40 of the run to both sides
)

func (s *series) noisy() bool { return s.n >= noisyFrom && s.turns > s.n/noisyTurns }

// trend is a moving average, broken where the series is. It leaves out the lowest
// and the highest quarter of each window, so that a spike does not become a step.
func (s *series) trend() [][]point {
	var runs [][]point
	var run []point
	for i, b := range s.buckets {
		mean := s.around(i)
		if b.n == 0 || !finite(mean) {
			if len(run) > 0 {
				runs, run = append(runs, run), nil
			}
			continue
		}
		run = append(run, point{(b.min.step + b.max.step) / 2, mean})
	}
	if len(run) > 0 {
		runs = append(runs, run)
	}
	return runs
}

// around is the trend at a bucket. The window is narrower at both ends of the
// series, where it has one side only.
func (s *series) around(i int) float64 {
	half := max(len(s.buckets)/trendShare, 1)
	half = min(half, max(i, half/3), max(len(s.buckets)-1-i, half/3))
	var near []float64
	for _, b := range s.buckets[max(i-half, 0):min(i+half+1, len(s.buckets))] {
		if b.n > 0 {
			near = append(near, b.mean)
		}
	}
	slices.Sort(near)
	near = near[len(near)/4 : len(near)-len(near)/4]
	var mean float64
	for k, v := range near {
		mean += (v - mean) / float64(k+1)
	}
	return mean
}

package report

import (
	"math"
	"strings"
)

// change is a row of the table of evaluations.
type change struct {
	Name          string
	Before, After result
	Difference    string
	Percent       string
	Verdict       string // "better", "worse" or ""
	Bounds        string // whether confidence bounds are apart
}

// result is a measurement; Bounds is "" without confidence bounds.
type result struct{ Value, Bounds string }

// changes compares the first and the last evaluation; nil when there is none.
func (m *metrics) changes(d directions) []change {
	if m.before == nil {
		return nil
	}
	after := m.after
	if after == nil {
		after = &evaluation{}
	}
	names := m.before.names
	for _, name := range after.names {
		if _, ok := m.before.values[name]; !ok {
			names = append(names, name)
		}
	}
	bounds := map[string]bool{}
	for _, name := range names {
		if m.before.bounded(name) || after.bounded(name) {
			bounds[name+lowSuffix], bounds[name+highSuffix] = true, true
		}
	}
	var all []change
	for _, name := range names {
		if !bounds[name] {
			all = append(all, compare(name, m.before, after, d))
		}
	}
	return all
}

// bounded says whether an evaluation has confidence bounds for the name.
func (e *evaluation) bounded(name string) bool {
	_, value := e.values[name]
	_, low := e.values[name+lowSuffix]
	_, high := e.values[name+highSuffix]
	return value && low && high
}

func (e *evaluation) result(name string) (r result) {
	v, ok := e.values[name]
	if !ok {
		return result{Value: "–"}
	}
	r.Value = format(v)
	if e.bounded(name) {
		r.Bounds = format(e.values[name+lowSuffix]) + " to " + format(e.values[name+highSuffix])
	}
	return r
}

// compare makes a row.
func compare(name string, before, after *evaluation, d directions) change {
	c := change{Name: name, Before: before.result(name), After: after.result(name)}
	a, hasA := before.values[name]
	b, hasB := after.values[name]
	difference := b - a
	if !hasA || !hasB || !finite(difference) {
		return c
	}
	c.Difference = signed(difference)
	if share := difference / math.Abs(a) * 100; a != 0 && finite(share) {
		c.Percent = signed(roundTo(share, 10)) + " %"
	}
	if sign := d.of(name); sign != 0 && difference != 0 {
		c.Verdict = "worse"
		if difference*sign > 0 {
			c.Verdict = "better"
		}
	}
	if before.bounded(name) && after.bounded(name) {
		c.Bounds = "bounds overlap"
		if after.values[name+lowSuffix] > before.values[name+highSuffix] || after.values[name+highSuffix] < before.values[name+lowSuffix] {
			c.Bounds = "bounds apart"
		}
	}
	return c
}

func roundTo(v, parts float64) float64 {
	if r := math.Round(v*parts) / parts; finite(r) {
		return r
	}
	return v
}

// directions say which metrics are better low (-1) or high (+1).
type directions map[string]float64

// Parts of names that say where the metric should go.
var (
	lowIsBetter  = []string{"loss", "nll", "perplexity", "error"}
	highIsBetter = []string{"accuracy", "reward", "win_rate", "pass@", "exact_match", "f1", "score"}
)

// of is 0 when nobody knows.
func (d directions) of(name string) float64 {
	if sign, ok := d[name]; ok {
		return sign
	}
	for _, part := range lowIsBetter {
		if strings.Contains(name, part) {
			return -1
		}
	}
	for _, part := range highIsBetter {
		if strings.Contains(name, part) {
			return 1
		}
	}
	return 0
}

package data

import (
	"fmt"
	"log/slog"
	"slices"
)

// Summary describes a list of lengths.
type Summary struct {
	Count  int     `json:"count"`
	Total  int64   `json:"total"`
	Mean   float64 `json:"mean"`
	Min    int     `json:"min"`
	Median int     `json:"median"`
	P90    int     `json:"p90"` // 90 in 100 are at most this
	P99    int     `json:"p99"`
	Max    int     `json:"max"`
}

// Summarize describes lengths: of p in 100, the least value that so many are at
// most. The list is left alone.
func Summarize(lengths []int) Summary {
	if len(lengths) == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(lengths))
	s := Summary{Count: len(sorted), Min: sorted[0], Max: sorted[len(sorted)-1]}
	for _, n := range sorted {
		s.Total += int64(n)
	}
	s.Mean = float64(s.Total) / float64(s.Count)
	at := func(percent int) int { return sorted[(len(sorted)*percent+99)/100-1] }
	s.Median, s.P90, s.P99 = at(50), at(90), at(99)
	return s
}

// String says it in one line.
func (s Summary) String() string {
	return fmt.Sprintf("mean %.1f, min %d, median %d, 90%% %d, 99%% %d, max %d, total %d", s.Mean, s.Min, s.Median, s.P90, s.P99, s.Max, s.Total)
}

// LogValue makes the numbers a group of attributes.
func (s Summary) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int("count", s.Count), slog.Int64("total", s.Total), slog.Float64("mean", s.Mean), slog.Int("min", s.Min),
		slog.Int("median", s.Median), slog.Int("p90", s.P90), slog.Int("p99", s.P99), slog.Int("max", s.Max),
	)
}

// Lengths are those of a dataset's examples, in tokens.
type Lengths struct {
	Examples Summary `json:"examples"` // whole
	Prompts  Summary `json:"prompts"`  // of the examples that have one
	Targets  Summary `json:"targets"`  // tokens that count in the loss
}

// Lengths describes the lengths of the dataset's examples.
func (d *Dataset) Lengths() Lengths {
	var whole, prompts, targets []int
	for i := range d.Len() {
		e := d.Example(i)
		whole, targets = append(whole, len(e.IDs)), append(targets, e.Targets())
		if e.Prompt > 0 {
			prompts = append(prompts, e.Prompt)
		}
	}
	return Lengths{Summarize(whole), Summarize(prompts), Summarize(targets)}
}

package advantage

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// moments are those of the numbers that are not NaN.
type moments struct {
	n, sum, mean float64
	squares      float64 // Σ (x − mean)²
	constant     bool    // all are equal, or there are none
}

func momentsOf(x []float64) moments {
	m := moments{constant: true}
	first := math.NaN()
	for _, v := range x {
		if math.IsNaN(v) {
			continue
		}
		if m.n == 0 {
			first = v
		}
		m.constant = m.constant && v == first
		m.n, m.sum = m.n+1, m.sum+v
	}
	m.mean = m.sum / m.n
	for _, v := range x {
		if !math.IsNaN(v) {
			m.squares += (v - m.mean) * (v - m.mean)
		}
	}
	if m.constant && m.n > 0 {
		m.mean, m.squares = first, 0 // whatever rounding says
	}
	return m
}

// MeanStd is the mean of the numbers that are not NaN and their deviation over n−1; NaN
// where there are none, or fewer than two.
func MeanStd(x []float64) (mean, std float64) {
	m := momentsOf(x)
	return m.mean, m.std()
}

// std is the deviation over n−1; NaN for fewer than two.
func (m moments) std() float64 {
	if m.n < 2 {
		return math.NaN()
	}
	return math.Sqrt(m.squares / (m.n - 1))
}

// members are the rows of each group, groups in the order of their ids.
func members(groups []int) [][]int {
	rows := map[int][]int{}
	for i, g := range groups {
		rows[g] = append(rows[g], i)
	}
	out := make([][]int, 0, len(rows))
	for _, g := range slices.SortedFunc(maps.Keys(rows), cmp.Compare[int]) {
		out = append(out, rows[g])
	}
	return out
}

// take is the given rows of x.
func take(x []float64, rows []int) []float64 {
	out := make([]float64, len(rows))
	for k, i := range rows {
		out[k] = x[i]
	}
	return out
}

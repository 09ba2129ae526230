package losstest

import (
	"math"
	"slices"

	"github.com/posttrain/posttrain/rlhf"
)

// Batch is completions as a loss sees them: Rows of Width tokens each, of which Mask
// picks those that count. Nil slices are inputs that a loss goes without.
type Batch struct {
	Rows, Width int
	// One number a token.
	LogProb, Mask                           []float64
	Old, Ref, Sampler, Weight, Keep, Taught []float64
	Entropy, Advantage                      []float64 // Advantage nil: RowAdvantage at each token
	// One number a row.
	RowAdvantage, RowWeight []float64
	Groups                  []int32 // exclusive ends of groups of rows
	// Denominator is what the losses of rows are divided by.
	Denominator float64
	// EntropyCoef is Tokens.EntropyCoef; 0 binds none.
	EntropyCoef float64

	means []float64 // mean lengths of groups, where rows have left theirs
}

// Lengths are the tokens of Mask 1 of each row, at least 1.
func (b Batch) Lengths() []float64 {
	out := make([]float64, b.Rows)
	for i, m := range b.Mask {
		out[i/b.Width] += m
	}
	for i := range out {
		out[i] = math.Max(1, out[i])
	}
	return out
}

// advantages are one number a token.
func (b Batch) advantages() []float64 {
	if b.Advantage != nil {
		return b.Advantage
	}
	out := make([]float64, b.Rows*b.Width)
	for i := range out {
		out[i] = b.RowAdvantage[i/b.Width]
	}
	return out
}

func (b Batch) ends() []int32 {
	out := make([]int32, b.Rows)
	for i := range out {
		out[i] = int32((i + 1) * b.Width)
	}
	return out
}

func (b Batch) row() []int32 {
	out := make([]int32, b.Rows*b.Width)
	for i := range out {
		out[i] = int32(i / b.Width)
	}
	return out
}

// group is the group of each row.
func (b Batch) group() []int32 {
	var out []int32
	for g, end := range b.Groups {
		for len(out) < int(end) {
			out = append(out, int32(g))
		}
	}
	return out
}

// groupLengths is the mean length of the rows of each row's group.
func (b Batch) groupLengths() []float64 {
	if b.Groups == nil || b.means != nil {
		return b.means
	}
	sum, rows := make([]float64, len(b.Groups)), make([]float64, len(b.Groups))
	group := b.group()
	for i, m := range b.Mask {
		sum[group[i/b.Width]] += m
	}
	for _, g := range group {
		rows[g]++
	}
	out := make([]float64, b.Rows)
	for i, g := range group {
		out[i] = math.Max(1, sum[g]/rows[g])
	}
	return out
}

// Slice is the rows from one to another, as a micro-batch: groups that are cut by it count
// as two, but keep their lengths.
func (b Batch) Slice(from, to int) Batch {
	rows := make([]int, to-from)
	for i := range rows {
		rows[i] = from + i
	}
	var groups []int32
	for _, end := range b.Groups {
		if e := min(int(end), to) - from; e > 0 && (len(groups) == 0 || int32(e) > groups[len(groups)-1]) {
			groups = append(groups, int32(e))
		}
	}
	return b.take(rows, groups)
}

// take is the batch of the given rows, whose groups end where groups says.
func (b Batch) take(rows []int, groups []int32) Batch {
	tokens := func(x []float64) []float64 { return gather(x, rows, b.Width) }
	each := func(x []float64) []float64 { return gather(x, rows, 1) }
	return Batch{
		Rows: len(rows), Width: b.Width,
		LogProb: tokens(b.LogProb), Mask: tokens(b.Mask), Old: tokens(b.Old), Ref: tokens(b.Ref), Sampler: tokens(b.Sampler),
		Weight: tokens(b.Weight), Keep: tokens(b.Keep), Taught: tokens(b.Taught), Entropy: tokens(b.Entropy), Advantage: tokens(b.Advantage),
		RowAdvantage: each(b.RowAdvantage), RowWeight: each(b.RowWeight), Groups: groups, Denominator: b.Denominator, EntropyCoef: b.EntropyCoef,
		means: each(b.groupLengths()),
	}
}

// gather takes runs of width numbers; nil stays nil.
func gather(x []float64, runs []int, width int) []float64 {
	if x == nil {
		return nil
	}
	var out []float64
	for _, r := range runs {
		out = append(out, x[r*width:(r+1)*width]...)
	}
	return out
}

// reduce makes one number of a metric's, as a trainer does; NaN where nothing counts.
func (b Batch) reduce(m rlhf.Metric, v []float64) float64 {
	if m.Over == rlhf.OverTokens {
		sum, n := 0.0, 0.0
		for i, w := range b.Mask {
			if w != 0 {
				sum, n = sum+v[i], n+1
			}
		}
		return sum / math.Max(1, n)
	}
	if m.Reduce == rlhf.Mean {
		return Total(v) / float64(len(v))
	}
	var counted []float64
	for i, x := range v {
		if Total(b.Mask[i*b.Width:(i+1)*b.Width]) != 0 {
			counted = append(counted, x)
		}
	}
	switch {
	case len(counted) == 0:
		return math.NaN()
	case m.Reduce == rlhf.Least:
		return slices.Min(counted)
	}
	return slices.Max(counted)
}

// Total is the sum of x.
func Total(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum
}

package losstest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/posttrain/posttrain/rlhf"
)

// random is six rows of two groups, with holes in the mask, log-ratios of a third of a
// nat and advantages that have the mean 0 in each group.
func random(seed uint64) Batch {
	rng := rand.New(rand.NewPCG(seed, 11))
	b := Batch{Rows: 6, Width: 5, Groups: []int32{4, 6}, Denominator: 6}
	for i := range b.Rows {
		length := 1 + rng.IntN(b.Width)
		for k := range b.Width {
			old := -rng.ExpFloat64()
			b.Old = append(b.Old, old)
			b.LogProb = append(b.LogProb, old+0.3*rng.NormFloat64())
			on := 0.0
			if k < length && (k == 0 || rng.IntN(4) > 0) {
				on = 1
			}
			b.Mask = append(b.Mask, on)
		}
		b.RowAdvantage = append(b.RowAdvantage, rng.NormFloat64())
		if n := i + 1; n == 4 || n == 6 {
			centre(b.RowAdvantage[map[int]int{4: 0, 6: 4}[n]:])
		}
	}
	return b
}

// centre takes the mean away.
func centre(x []float64) {
	mean := Total(x) / float64(len(x))
	for i := range x {
		x[i] -= mean
	}
}

// onPolicy is the batch with the policy where it was.
func (b Batch) onPolicy() Batch {
	b.LogProb = append([]float64(nil), b.Old...)
	return b
}

// shares is how much each token of each row counts before the one division: 0 where
// the mask is 0.
func (b Batch) shares(a rlhf.Average) [][]float64 {
	lengths, groups := b.Lengths(), b.groupLengths()
	out := make([][]float64, b.Rows)
	for i := range out {
		out[i] = append(out[i], b.Mask[i*b.Width:(i+1)*b.Width]...)
		divisor := 1.0
		switch a.Over {
		case rlhf.MeanOfRows:
			divisor = lengths[i]
		case rlhf.FixedLength:
			divisor = a.Length
		case rlhf.MeanOfGroups:
			divisor = groups[i]
		}
		for k := range out[i] {
			out[i][k] /= divisor
		}
	}
	return out
}

// same compares losses and gradients.
func same(got, want Outcome) error {
	for _, c := range []struct {
		what      string
		got, want []float64
	}{{"loss of row", got.Loss, want.Loss}, {"gradient of token", got.Grad, want.Grad}} {
		if len(c.got) != len(c.want) {
			return fmt.Errorf("got %d times %s, want %d", len(c.got), c.what, len(c.want))
		}
		for i := range c.want {
			if err := near(c.got[i], c.want[i], exactTol, "%s %d", c.what, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// near compares two numbers, relative to the one wanted where that is above 1.
func near(got, want, tol float64, format string, args ...any) error {
	if math.Abs(got-want) <= tol*math.Max(1, math.Abs(want)) {
		return nil
	}
	return fmt.Errorf("%s: got %v, want %v", fmt.Sprintf(format, args...), got, want)
}

func scaled(x []float64, by float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = by * v
	}
	return out
}

func constant(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

package gguf

import "math"

// Loss says how far the numbers of a tensor moved when they were encoded.
type Loss struct {
	Count  int     // numbers
	Square float64 // sum of squared differences
	Signal float64 // sum of squared numbers
	Most   float64 // largest difference
}

// RMSE is the root of the mean squared difference, in the unit of the numbers.
func (l Loss) RMSE() float64 {
	if l.Count == 0 {
		return 0
	}
	return math.Sqrt(l.Square / float64(l.Count))
}

// Relative is the RMSE over the root mean square of the numbers themselves: 0 for
// an exact copy, about 0.08 for normal numbers in Q4_K.
func (l Loss) Relative() float64 {
	if l.Square == 0 {
		return 0
	}
	return math.Sqrt(l.Square / l.Signal)
}

// Add joins the loss of other numbers, so that a model has one too.
func (l *Loss) Add(m Loss) {
	l.Count += m.Count
	l.Square += m.Square
	l.Signal += m.Signal
	l.Most = max(l.Most, m.Most)
}

// Compare is the loss of decoded numbers against the originals, which must be as
// many.
func Compare(original, decoded []float32) Loss {
	l := Loss{Count: len(original)}
	for i, x := range original {
		l.Signal += float64(float64(x) * float64(x))
		y := decoded[i]
		if x == y || x != x && y != y {
			continue // an infinity or NaN that stayed is no loss
		}
		d := float64(x) - float64(y)
		l.Square += float64(d * d)
		l.Most = max(l.Most, math.Abs(d))
	}
	return l
}

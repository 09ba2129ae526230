package gguf

import "math"

// shapes are the codes that scales around the obvious one give a sub-block, as
// the sums that an error can be told from, and the best real scale and minimum.
type shapes struct {
	n, sum, squares float64
	scale, minimum  float64
	list            [2 * rounds * (2*spread + 1)]shape
	count           int
}

// shape is one choice of codes: Σq, Σq², Σxq, and its best minimum.
type shape struct{ qs, qqs, xqs, minimum float64 }

// square is the squared error of codes with a scale and a minimum.
func (l *shapes) square(c shape, scale, minimum float64) float64 {
	return float64(scale*scale*c.qqs) + float64(l.n*minimum*minimum) + l.squares -
		float64(2*scale*minimum*c.qs) - float64(2*scale*c.xqs) + float64(2*minimum*l.sum)
}

const (
	spread = 12 // tenths of a code that the largest number is moved either way
	rounds = 3  // how often codes and their best scale follow from each other
)

// shapes lists the choices for a sub-block. The error has several valleys where
// one number is far from the others, so half of the choices start elsewhere: from
// half the least number, with large numbers counting more in the fit.
func (k affine) shapes(x []float32, l *shapes) {
	low, high := 0.0, float64(x[0])
	for _, v := range x {
		y := float64(v)
		low, high = min(low, y), max(high, y)
		l.sum += y
		l.squares += float64(y * y)
	}
	l.n = float64(len(x))
	if l.minimum = -low; high <= low {
		return
	}
	least := math.Inf(1)
	for _, large := range [2]float64{0, 1} {
		var w [32]float64
		total := l.weigh(x, large, &w)
		for step := -spread; step <= spread; step++ {
			from := low * (1 - 0.5*large)
			scale, minimum := (high-from)/(float64(k.top)+0.1*float64(step)), -from
			for range rounds {
				c, weighted, xs := k.codes(x, &w, scale, minimum)
				var ok bool
				if scale, minimum, ok = line(total, xs, weighted); !ok {
					break
				}
				var best float64
				if best, c.minimum, ok = line(l.n, l.sum, c); !ok {
					break
				}
				l.list[l.count] = c
				l.count++
				if e := l.square(c, best, c.minimum); e < least {
					least, l.scale, l.minimum = e, best, c.minimum
				}
			}
		}
	}
}

// weigh fills the weights, the same for all numbers or by magnitude, and returns
// their sum.
func (l *shapes) weigh(x []float32, large float64, w *[32]float64) (total float64) {
	rms := math.Sqrt(l.squares / l.n)
	for i, v := range x {
		w[i] = rms + float64(large*math.Abs(float64(v)))
		total += w[i]
	}
	return total
}

// codes are the sums of the nearest codes for a scale and a minimum, plain and
// weighted, and the weighted sum of the numbers.
func (k affine) codes(x []float32, w *[32]float64, scale, minimum float64) (c, weighted shape, xs float64) {
	inverse, shift, top := float32(1/scale), float32(minimum), float32(k.top)
	for i, v := range x {
		q := float64(int32(max(0, min(float32((v+shift)*inverse), top)) + 0.5))
		xq := float64(q * float64(v))
		c.qs += q
		c.qqs += q * q
		c.xqs += xq
		weighted.qs += float64(w[i] * q)
		weighted.qqs += float64(w[i] * q * q)
		weighted.xqs += float64(w[i] * xq)
		xs += float64(w[i] * float64(v))
	}
	return c, weighted, xs
}

// line is the least-squares scale and minimum for codes: a positive scale and a
// minimum that is not negative.
func line(n, xs float64, c shape) (scale, minimum float64, ok bool) {
	det := float64(n*c.qqs) - float64(c.qs*c.qs)
	if det <= 0 {
		return 0, 0, false
	}
	scale, minimum = (float64(n*c.xqs)-float64(c.qs*xs))/det, (float64(c.qs*c.xqs)-float64(c.qqs*xs))/det
	if minimum < 0 {
		scale, minimum = c.xqs/c.qqs, 0
	}
	return scale, minimum, scale > 0
}

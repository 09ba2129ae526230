package gguf

import "math"

// linear describes types whose numbers are d·scale·q with signed q.
type linear struct {
	low, high           int // of q
	scaleLow, scaleHigh int
}

var (
	fitQ3K = linear{low: -4, high: 3, scaleLow: -32, scaleHigh: 31}
	fitQ6K = linear{low: -32, high: 31, scaleLow: -128, scaleHigh: 127}
)

// fit finds the integers of a block of 256 in sub-blocks of 16.
func (k linear) fit(x []float32, b *fitted) {
	var scale [16]float64
	largest := 0.0
	for i := range scale {
		scale[i] = k.best(x[16*i:][:16])
		if math.Abs(scale[i]) > math.Abs(largest) {
			largest = scale[i]
		}
	}
	d, _ := b.halves(largest/float64(k.scaleLow), 0)
	for i := range scale {
		part, q := x[16*i:][:16], b.q[16*i:][:16]
		s0 := 0
		if d != 0 {
			s0 = int(math.Round(max(float64(k.scaleLow), min(scale[i]/float64(d), float64(k.scaleHigh)))))
		}
		least := math.Inf(1)
		for s := max(k.scaleLow, s0-1); s <= min(k.scaleHigh, s0+1); s++ {
			if e := k.assign(part, nil, d*float32(s)); e < least {
				least, b.scale[i] = e, s
			}
		}
		k.assign(part, q, d*float32(b.scale[i]))
	}
}

// assign rounds numbers to the nearest of scale·q, as above.
func (k linear) assign(x []float32, q []int8, scale float32) float64 {
	inverse := float32(0)
	if scale != 0 {
		inverse = 1 / scale
	}
	low, high, sum := float32(k.low), float32(k.high), 0.0
	for i, v := range x {
		u, c := float32(v*inverse), float32(0)
		switch {
		case u >= high:
			c = high
		case u <= low:
			c = low
		case u == u:
			c = float32(int32(u-low+0.5)) + low
		}
		if q != nil {
			q[i] = int8(c)
		}
		e := float64(float32(scale*c) - v)
		sum += float64(e * e)
	}
	return sum
}

// best is the scale of least squared error. The number of largest magnitude may
// take either end of the codes, and steps around it.
func (k linear) best(x []float32) (scale float64) {
	at := float64(peak(x))
	if at == 0 {
		return 0
	}
	low, high, most := float64(k.low), float64(k.high), 0.0
	for step := -12; step <= 12; step++ {
		for _, end := range [2]float64{low, high} {
			inverse := (end + 0.1*float64(step)) / at
			var qqs, xqs float64
			for _, v := range x {
				u := max(low, min(float64(float64(v)*inverse), high))
				q := float64(int32(u-low+0.5)) + low
				qqs += q * q
				xqs += float64(q * float64(v))
			}
			// The error is Σx² - (Σxq)²/Σq².
			if gain := xqs * xqs / qqs; qqs > 0 && gain > most {
				most, scale = gain, xqs/qqs
			}
		}
	}
	return scale
}

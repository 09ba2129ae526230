package gguf

import (
	"encoding/binary"
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// The K types leave a choice to the writer: many scales explain a block nearly
// as well. Here every sub-block takes the scale (and minimum) of the least
// squared error among a row of candidates, each improved by least squares; then
// the integers that stand for the scales are chosen again, one step around,
// against the scale of the block as it is stored. ggml weighs large numbers more;
// all numbers count alike here.

// affine describes types whose numbers are d·scale·q - dmin·minimum.
type affine struct {
	sub    int // numbers of a sub-block
	top    int // largest q
	scales int // largest scale and minimum
}

var (
	fitQ2K = affine{sub: 16, top: 3, scales: 15}
	fitQ4K = affine{sub: 32, top: 15, scales: 63}
	fitQ5K = affine{sub: 32, top: 31, scales: 63}
)

// fitted is a block in integers.
type fitted struct {
	d, dmin   uint16 // halves
	scale     [16]int
	minimum   [16]int
	q         [256]int8
	outOfHalf bool // d or dmin is too large
}

// refinements is how often the scales of a block are fitted to its integers and
// the integers chosen again.
const refinements = 3

// fit finds the integers of a block of 256.
func (k affine) fit(x []float32, b *fitted) {
	var list [16]shapes
	var mostScale, mostMinimum float64
	for i := range 256 / k.sub {
		k.shapes(x[i*k.sub:][:k.sub], &list[i])
		mostScale, mostMinimum = max(mostScale, list[i].scale), max(mostMinimum, list[i].minimum)
	}
	least := k.choose(x, &list, mostScale/float64(k.scales), mostMinimum/float64(k.scales), b)
	for range refinements {
		next := *b
		d, dmin, ok := k.scalesFor(x, b)
		if !ok {
			return
		}
		e := k.choose(x, &list, d, dmin, &next)
		if e >= least || next.outOfHalf {
			return
		}
		least, *b = e, next
	}
}

// choose finds the integers for given scales of the block and returns the
// squared error.
func (k affine) choose(x []float32, list *[16]shapes, dReal, dminReal float64, b *fitted) (sum float64) {
	d, dmin := b.halves(dReal, dminReal)
	for i := range 256 / k.sub {
		part, q := x[i*k.sub:][:k.sub], b.q[i*k.sub:][:k.sub]
		least := math.Inf(1)
		for _, at := range k.starts(&list[i], float64(d), float64(dmin)) {
			for s := max(0, at[0]-1); s <= min(k.scales, at[0]+1); s++ {
				for m := max(0, at[1]-1); m <= min(k.scales, at[1]+1); m++ {
					if e := k.assign(part, nil, d*float32(s), dmin*float32(m)); e < least {
						least, b.scale[i], b.minimum[i] = e, s, m
					}
				}
			}
		}
		sum += k.assign(part, q, d*float32(b.scale[i]), dmin*float32(b.minimum[i]))
	}
	return sum
}

// reach is how many steps around the best real minimum are tried.
const reach = 3

// starts are two places to look for a scale and a minimum in whole steps: next
// to the real ones, and the best for codes at hand.
func (k affine) starts(l *shapes, d, dmin float64) (at [2][2]int) {
	at[0] = [2]int{steps(l.scale, d, k.scales), steps(l.minimum, dmin, k.scales)}
	at[1] = at[0]
	least := math.Inf(1)
	for _, c := range l.list[:l.count] {
		m0 := steps(c.minimum, dmin, k.scales)
		for m := max(0, m0-reach); m <= min(k.scales, m0+reach); m++ {
			low := float64(m) * dmin
			s := steps((c.xqs+low*c.qs)/c.qqs, d, k.scales)
			if e := l.square(c, float64(s)*d, low); e < least {
				least, at[1] = e, [2]int{s, m}
			}
		}
	}
	return at
}

// scalesFor are the scales of the block of least squared error for its integers.
func (k affine) scalesFor(x []float32, b *fitted) (d, dmin float64, ok bool) {
	var aa, ab, bb, ax, bx float64 // of x = d·a - dmin·b
	for i, v := range x {
		a := float64(b.scale[i/k.sub] * int(b.q[i]))
		m := float64(b.minimum[i/k.sub])
		aa += a * a
		ab += a * m
		bb += m * m
		ax += float64(a * float64(v))
		bx += float64(m * float64(v))
	}
	det := float64(aa*bb) - float64(ab*ab)
	if det <= 0 {
		return 0, 0, false
	}
	d, dmin = (float64(ax*bb)-float64(ab*bx))/det, (float64(ax*ab)-float64(aa*bx))/det
	return d, dmin, d > 0 && dmin >= 0
}

// halves stores the scales of the block and returns what they became.
func (b *fitted) halves(d, dmin float64) (float32, float32) {
	b.d, b.dmin = kernel.ToF16(float32(d)), kernel.ToF16(float32(dmin))
	b.outOfHalf = b.d&0x7fff == 0x7c00 || b.dmin&0x7fff == 0x7c00
	return kernel.FromF16(b.d), kernel.FromF16(b.dmin)
}

// steps is v in whole steps of d.
func steps(v, d float64, most int) int {
	if d == 0 {
		return 0
	}
	return int(math.Round(max(0, min(v/d, float64(most)))))
}

// assign rounds numbers to the nearest of scale·q - minimum, into q unless it is
// nil, and returns the squared error.
func (k affine) assign(x []float32, q []int8, scale, minimum float32) float64 {
	inverse := float32(0)
	if scale > 0 {
		inverse = 1 / scale
	}
	top, sum := float32(k.top), 0.0
	for i, v := range x {
		// A scale that is a subnormal float32 has an infinite inverse; min and max
		// of a NaN are NaN, which no branch below takes.
		u := float32((v + minimum) * inverse)
		c := float32(0)
		if u >= top {
			c = top
		} else if u > 0 {
			c = float32(int32(u + 0.5))
		}
		if q != nil {
			q[i] = int8(c)
		}
		e := float64(float32(scale*c) - minimum - v)
		sum += float64(e * e)
	}
	return sum
}

func (b *fitted) put(dst []byte, at int) bool {
	binary.LittleEndian.PutUint16(dst[at:], b.d)
	return !b.outOfHalf
}

func (b *fitted) putBoth(dst []byte, at int) bool {
	binary.LittleEndian.PutUint16(dst[at+2:], b.dmin)
	return b.put(dst, at)
}

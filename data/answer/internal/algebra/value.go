package algebra

import (
	"math"
	"math/big"
	"math/cmplx"
)

// Tolerances of float comparison: a few hundred roundings of float64 relative
// to the value, and of its largest addend for what cancels.
const (
	relative = 2e-12
	canceled = 1e-14
	points   = 6
	enough   = 2 // points at which both sides must have a value
)

// rounding is how far apart two decimals may be, relative to the smaller of 1
// and their size: 0.1 equals 0.10000001, but not 0.100001.
var rounding = big.NewRat(1, 1_000_000)

// sameValue says whether two scalar expressions are equal: exactly, or as
// decimals, or by their values at fixed points.
func (e *evaluator) sameValue(a, b *Node) bool {
	x, okX := e.exact(a, nil)
	y, okY := e.exact(b, nil)
	if okX && okY {
		return x.Cmp(y) == 0 || terminates(x) && terminates(y) && near(x, y)
	}
	if a.has(infinity) || b.has(infinity) {
		return e.at(a, point{}) == e.at(b, point{})
	}
	compared := 0
	for i := range points {
		e.scale = 0
		p := point{index: i}
		u, v := e.at(a, p), e.at(b, p)
		if unusable(u) || unusable(v) || i%2 == 1 && (imag(u) != 0) != (imag(v) != 0) {
			continue // outside the domain; branches of roots and logarithms differ for negative values
		}
		compared++
		if cmplx.Abs(u-v) > relative*max(cmplx.Abs(u), cmplx.Abs(v))+canceled*e.scale+1e-15 {
			return false
		}
	}
	return compared >= enough
}

func unusable(x complex128) bool {
	return cmplx.IsNaN(x) || cmplx.IsInf(x) || cmplx.Abs(x) > math.MaxFloat64/4
}

// near says whether two rationals are equal after rounding.
func near(x, y *big.Rat) bool {
	size := new(big.Rat).Abs(x)
	if s := new(big.Rat).Abs(y); s.Cmp(size) > 0 {
		size = s
	}
	if one := big.NewRat(1, 1); size.Cmp(one) > 0 {
		if x.IsInt() && y.IsInt() {
			return false
		}
		size = one
	}
	diff := new(big.Rat).Sub(x, y)
	return diff.Abs(diff).Cmp(size.Mul(size, rounding)) < 0
}

// terminates says whether x is a decimal of at most 64 bits.
func terminates(x *big.Rat) bool {
	d := new(big.Int).Set(x.Denom())
	if d.BitLen() > 64 {
		return false
	}
	for _, p := range []int64{2, 5} {
		for q, r := new(big.Int), new(big.Int); ; {
			if q.QuoRem(d, big.NewInt(p), r); r.Sign() != 0 {
				break
			}
			d.Set(q)
		}
	}
	return d.IsInt64() && d.Int64() == 1
}

// constant says whether n has one real value, and which.
func (e *evaluator) constant(n *Node) (float64, bool) {
	if !n.scalar() {
		return 0, false
	}
	u, v := e.at(n, point{index: 0}), e.at(n, point{index: 2})
	return real(u), u == v && imag(u) == 0 && !math.IsNaN(real(u))
}

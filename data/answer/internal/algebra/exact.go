package algebra

import "math/big"

// Bounds of exact arithmetic; beyond them values are compared as floats.
const (
	maxBits      = 1 << 12
	maxFactorial = 500
	maxTerms     = 1000
)

// bound are the values of variables.
type bound map[string]*big.Rat

// exact is the rational value of n; ok is false for what is irrational, holds a
// free variable, is undefined, or is too large.
func (e *evaluator) exact(n *Node, vars bound) (value *big.Rat, ok bool) {
	if !e.spend() {
		return nil, false
	}
	switch n.kind {
	case number:
		return n.num, true
	case symbol:
		v, ok := vars[n.name]
		return v, ok
	case sum, product, quotient, power, negative, percent, degree:
		return e.exactArithmetic(n, vars)
	case call:
		return e.exactCall(n, vars)
	case bigSum:
		return e.exactRange(n, vars)
	}
	return nil, false
}

func (e *evaluator) exactArithmetic(n *Node, vars bound) (*big.Rat, bool) {
	total, ok := e.exact(n.args[0], vars)
	if !ok {
		return nil, false
	}
	total = new(big.Rat).Set(total)
	switch n.kind {
	case negative:
		return total.Neg(total), true
	case percent:
		return total.Quo(total, big.NewRat(100, 1)), true
	case degree:
		return total, true
	}
	for _, a := range n.args[1:] {
		v, ok := e.exact(a, vars)
		if !ok {
			return nil, false
		}
		switch n.kind {
		case sum:
			total.Add(total, v)
		case product:
			total.Mul(total, v)
		case quotient:
			if v.Sign() == 0 {
				return nil, false
			}
			total.Quo(total, v)
		case power:
			if total, ok = rationalPower(total, v); !ok {
				return nil, false
			}
		}
		if e.steps += bits(total) / 16; bits(total) > maxBits { // long numbers cost more
			return nil, false
		}
	}
	return total, true
}

func bits(r *big.Rat) int { return max(r.Num().BitLen(), r.Denom().BitLen()) }

// rationalPower is x^p where that is rational.
func rationalPower(x, p *big.Rat) (*big.Rat, bool) {
	if !p.Num().IsInt64() || !p.Denom().IsInt64() || p.Denom().Int64() > 64 {
		return nil, false
	}
	if q := p.Denom().Int64(); q > 1 {
		r, ok := rationalRoot(x, q)
		if !ok {
			return nil, false
		}
		return rationalPower(r, new(big.Rat).SetInt(p.Num()))
	}
	k := p.Num().Int64()
	if k < 0 {
		if x.Sign() == 0 || k == -k {
			return nil, false
		}
		x, k = new(big.Rat).Inv(x), -k
	}
	if k > maxBits || int64(bits(x))*k > maxBits {
		return nil, false
	}
	e := big.NewInt(k)
	return new(big.Rat).SetFrac(new(big.Int).Exp(x.Num(), e, nil), new(big.Int).Exp(x.Denom(), e, nil)), true
}

// rationalRoot is the real q-th root of x where it is rational; an even root of
// a negative number is not.
func rationalRoot(x *big.Rat, q int64) (*big.Rat, bool) {
	if x.Sign() < 0 {
		return nil, false // principal roots of negative numbers are complex
	}
	a, okA := integerRoot(x.Num(), q)
	b, okB := integerRoot(x.Denom(), q)
	if !okA || !okB {
		return nil, false
	}
	return new(big.Rat).SetFrac(a, b), true
}

// integerRoot finds r with r^q = n by halving.
func integerRoot(n *big.Int, q int64) (*big.Int, bool) {
	low, high := big.NewInt(0), new(big.Int).Lsh(big.NewInt(1), uint(int64(n.BitLen())/q+1))
	e := big.NewInt(q)
	for low.Cmp(high) < 0 {
		mid := new(big.Int).Rsh(new(big.Int).Add(low, high), 1)
		if new(big.Int).Exp(mid, e, nil).Cmp(n) < 0 {
			low = mid.Add(mid, big.NewInt(1))
		} else {
			high = mid
		}
	}
	return low, new(big.Int).Exp(low, e, nil).Cmp(n) == 0
}

func (e *evaluator) exactRange(n *Node, vars bound) (*big.Rat, bool) {
	from, ok1 := e.exact(n.args[1], vars)
	to, ok2 := e.exact(n.args[2], vars)
	if !ok1 || !ok2 {
		return nil, false
	}
	first, last, ok := rangeOf(from, to)
	if !ok {
		return nil, false
	}
	inner := bound{}
	for k, v := range vars {
		inner[k] = v
	}
	total := new(big.Rat)
	if n.name == "prod" {
		total.SetInt64(1)
	}
	for k := first; k <= last; k++ {
		inner[n.args[0].name] = big.NewRat(k, 1)
		v, ok := e.exact(n.args[3], inner)
		if !ok {
			return nil, false
		}
		if n.name == "prod" {
			total.Mul(total, v)
		} else {
			total.Add(total, v)
		}
		if e.steps += bits(total) / 16; bits(total) > maxBits {
			return nil, false
		}
	}
	return total, true
}

// rangeOf are whole limits that are at most maxTerms apart.
func rangeOf(from, to *big.Rat) (first, last int64, ok bool) {
	if !from.IsInt() || !to.IsInt() || !from.Num().IsInt64() || !to.Num().IsInt64() {
		return 0, 0, false
	}
	first, last = from.Num().Int64(), to.Num().Int64()
	const far = 1 << 40
	return first, last, first > -far && last < far && last-first < maxTerms
}

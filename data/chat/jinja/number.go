package jinja

import (
	"math"
	"math/big"
)

// maxDigits and maxBits bound ints, as Python bounds their conversion to text.
const (
	maxDigits = 4300
	maxBits   = 14284
)

func isNumber(v Value) bool {
	switch v.(type) {
	case boolean, integer, bigint, float:
		return true
	}
	return false
}

func isInt(v Value) bool {
	switch v.(type) {
	case boolean, integer, bigint:
		return true
	}
	return false
}

// small returns the value of a bool or an int that fits int64.
func small(v Value) (int64, bool) {
	switch v := v.(type) {
	case integer:
		return int64(v), true
	case boolean:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// bigOf returns the value of an int or bool; callers have checked the type.
func bigOf(v Value) *big.Int {
	if b, ok := v.(bigint); ok {
		return b.n
	}
	n, _ := small(v)
	return big.NewInt(n)
}

// bigFloat returns a whole float as an int.
func bigFloat(f float64) *big.Int {
	n, _ := new(big.Float).SetFloat64(f).Int(nil)
	return n
}

// floatOf converts a number; ints that are too large fail as in Python.
func (x *exec) floatOf(v Value) float64 {
	switch v := v.(type) {
	case float:
		return float64(v)
	case bigint:
		f, _ := new(big.Float).SetInt(v.n).Float64()
		if math.IsInf(f, 0) {
			x.fail("OverflowError: int too large to convert to float")
		}
		return f
	}
	n, _ := small(v)
	return float64(n)
}

// whole checks the size of an int.
func (x *exec) whole(n *big.Int) Value {
	if n.BitLen() > maxBits {
		x.limit("an int of more than %d digits", maxDigits)
	}
	return fromBig(n)
}

// arithmetic computes a op b for numbers.
func (x *exec) arithmetic(op string, a, b Value) Value {
	if isInt(a) && isInt(b) && op != "/" {
		return x.intArithmetic(op, a, b)
	}
	if op == "/" && isInt(a) && isInt(b) {
		return x.divideInts(bigOf(a), bigOf(b))
	}
	return float(x.floatArithmetic(op, x.floatOf(a), x.floatOf(b)))
}

func (x *exec) intArithmetic(op string, a, b Value) Value {
	m, aok := small(a)
	n, bok := small(b)
	const safe = 1 << 31 // products of such ints cannot overflow
	if aok && bok && m < safe && m > -safe && n < safe && n > -safe {
		switch op {
		case "+":
			return integer(m + n)
		case "-":
			return integer(m - n)
		case "*":
			return integer(m * n)
		}
	}
	p, q := bigOf(a), bigOf(b)
	x.step(words(p) + words(q))
	switch op {
	case "+":
		return x.whole(new(big.Int).Add(p, q))
	case "-":
		return x.whole(new(big.Int).Sub(p, q))
	case "*":
		x.step(words(p) * words(q) / 16)
		return x.whole(new(big.Int).Mul(p, q))
	case "//", "%":
		if q.Sign() == 0 {
			x.fail("ZeroDivisionError: integer division or modulo by zero")
		}
		x.step(words(p) * words(q) / 16)
		quotient, rest := floorDivide(p, q)
		if op == "//" {
			return x.whole(quotient)
		}
		return x.whole(rest)
	}
	return x.power(p, q)
}

// words is the length of an int in machine words.
func words(n *big.Int) int { return n.BitLen()/64 + 1 }

// floorDivide rounds towards minus infinity; the rest has the divisor's sign.
func floorDivide(p, q *big.Int) (quotient, rest *big.Int) {
	quotient, rest = new(big.Int).QuoRem(p, q, new(big.Int))
	if rest.Sign() != 0 && rest.Sign() != q.Sign() {
		quotient.Sub(quotient, big.NewInt(1))
		rest.Add(rest, q)
	}
	return quotient, rest
}

func (x *exec) power(p, q *big.Int) Value {
	if q.Sign() < 0 {
		if p.Sign() == 0 {
			x.fail("ZeroDivisionError: 0.0 cannot be raised to a negative power")
		}
		return float(x.floatArithmetic("**", x.floatOf(fromBig(p)), x.floatOf(fromBig(q))))
	}
	if p.BitLen() > 1 && (!q.IsInt64() || q.Int64() > maxBits || int64(p.BitLen()-1)*q.Int64() > maxBits) {
		x.limit("an int of more than %d digits", maxDigits)
	}
	if p.BitLen() <= 1 { // 0, 1, -1: the exponent may be of any size
		switch {
		case q.Sign() == 0 || p.Sign() > 0:
			return integer(1)
		case p.Sign() == 0:
			return integer(0)
		case q.Bit(0) == 1:
			return integer(-1)
		}
		return integer(1)
	}
	x.step(p.BitLen() * int(q.Int64()) / 16)
	return x.whole(new(big.Int).Exp(p, q, nil))
}

// divideInts is true division, rounded once.
func (x *exec) divideInts(p, q *big.Int) Value {
	if q.Sign() == 0 {
		x.fail("ZeroDivisionError: division by zero")
	}
	const exact = 1 << 53 // ints up to here are floats
	if p.IsInt64() && q.IsInt64() && max(p.Int64(), q.Int64()) <= exact && min(p.Int64(), q.Int64()) >= -exact {
		return float(float64(p.Int64()) / float64(q.Int64()))
	}
	if p.Sign() == 0 {
		return float(math.Copysign(0, float64(q.Sign())))
	}
	x.step(p.BitLen() + q.BitLen())
	f, _ := new(big.Rat).SetFrac(p, q).Float64()
	if math.IsInf(f, 0) {
		x.fail("OverflowError: integer division result too large for a float")
	}
	return float(f)
}

func (x *exec) floatArithmetic(op string, a, b float64) float64 {
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "**":
		return x.floatPower(a, b)
	}
	if b == 0 {
		x.fail("ZeroDivisionError: float division by zero")
	}
	if op == "/" {
		return a / b
	}
	rest := math.Mod(a, b)
	quotient := (a - rest) / b
	if rest != 0 && (b < 0) != (rest < 0) {
		rest += b
		quotient--
	} else if rest == 0 {
		rest = math.Copysign(0, b)
	}
	if op == "%" {
		return rest
	}
	if quotient == 0 {
		return math.Copysign(0, a/b)
	}
	if floor := math.Floor(quotient); quotient-floor <= 0.5 {
		return floor
	} else {
		return floor + 1
	}
}

func (x *exec) floatPower(a, b float64) float64 {
	if a == 0 && b < 0 {
		x.fail("ZeroDivisionError: 0.0 cannot be raised to a negative power")
	}
	if a < 0 && b != math.Trunc(b) && !math.IsInf(b, 0) {
		x.fail("TypeError: complex numbers are not supported")
	}
	f := math.Pow(a, b)
	if math.IsInf(f, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
		x.fail("OverflowError: (34, 'Numerical result out of range')")
	}
	return f
}

package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

var numberFilters = []*builtin{
	{name: "abs", fixed: func(x *exec, v Value, _ []Value) Value {
		if !isNumber(v) {
			x.fail("TypeError: bad operand type for abs(): '%s'", v.typeName())
		}
		if f, ok := v.(float); ok {
			return float(math.Abs(float64(f)))
		}
		return fromBig(new(big.Int).Abs(bigOf(v)))
	}},
	{name: "int", params: []string{"default?", "base?"}, fixed: filterInt},
	{name: "float", params: []string{"default?"}, fixed: func(x *exec, v Value, a []Value) Value {
		if f, ok := x.toFloat(v); ok {
			return float(f)
		}
		return orElse(a[0], float(0))
	}},
	{name: "round", params: []string{"precision?", "method?"}, fixed: filterRound},
	{name: "filesizeformat", params: []string{"binary?"}, fixed: filterFileSize},
}

// toFloat is Python's float(v); ok is false where that raises a type or value
// error.
func (x *exec) toFloat(v Value) (float64, bool) {
	if u, ok := v.(*undefined); ok {
		x.refuse(u)
	}
	if isNumber(v) {
		return x.floatOf(v), true
	}
	s, ok := textOf(v)
	if !ok {
		return 0, false
	}
	x.work(len(s))
	return parseFloat(strings.TrimFunc(s, isSpace))
}

// parseFloat reads a float as Python does: no hexadecimal, underscores only
// between digits.
func parseFloat(s string) (float64, bool) {
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case "inf", "infinity", "nan":
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil
	}
	clean, ok := dropUnderscores(s)
	if !ok || strings.Trim(clean, "0123456789.eE+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(clean, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// dropUnderscores removes underscores between digits; others are faults.
func dropUnderscores(s string) (string, bool) {
	if strings.IndexByte(s, '_') < 0 {
		return s, true
	}
	digit := func(i int) bool {
		return i >= 0 && i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z')
	}
	for i := range len(s) {
		if s[i] == '_' && (!digit(i-1) || !digit(i+1)) {
			return s, false
		}
	}
	return strings.ReplaceAll(s, "_", ""), true
}

func filterInt(x *exec, v Value, a []Value) Value {
	if s, ok := textOf(v); ok {
		x.work(len(s))
		if n, ok := x.parseInt(s, x.intArg(a[1], 10)); ok {
			return n
		}
	}
	if isInt(v) {
		return fromBig(bigOf(v))
	}
	f, ok := x.toFloat(v)
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		if _, isFloat := v.(float); isFloat && math.IsInf(f, 0) {
			x.fail("OverflowError: cannot convert float infinity to integer")
		}
		return orElse(a[0], integer(0))
	}
	return fromBig(bigFloat(math.Trunc(f)))
}

// parseInt is Python's int(s, base).
func (x *exec) parseInt(s string, base int) (Value, bool) {
	if base != 0 && (base < 2 || base > 36) {
		return nil, false
	}
	s = strings.TrimFunc(s, isSpace)
	body := strings.TrimPrefix(strings.TrimPrefix(s, "+"), "-")
	if len(s)-len(body) > 1 || strings.HasPrefix(body, "+") || strings.HasPrefix(body, "-") {
		return nil, false
	}
	negative := len(body) < len(s) && s[0] == '-'
	body, base, ok := prefixed(body, base)
	if !ok || len(body) > maxDigits {
		return nil, false
	}
	x.step(len(body))
	body, ok = dropUnderscores(body)
	if !ok {
		return nil, false
	}
	n, ok := new(big.Int).SetString(body, base)
	if !ok {
		return nil, false
	}
	if negative {
		n.Neg(n)
	}
	return x.whole(n), true
}

// prefixed takes the prefix 0x, 0o or 0b where the base allows it.
func prefixed(s string, base int) (body string, b int, ok bool) {
	if len(s) > 1 && s[0] == '0' {
		if want := map[byte]int{'x': 16, 'o': 8, 'b': 2}[s[1]|0x20]; want != 0 && (base == 0 || base == want) {
			return strings.TrimPrefix(s[2:], "_"), want, true
		}
	}
	if base == 0 {
		return s, 10, len(s) <= 1 || s[0] != '0' || strings.Trim(s, "0_") == ""
	}
	return s, base, true
}

func filterRound(x *exec, v Value, a []Value) Value {
	method, _ := textOf(orElse(a[1], str("common")))
	if method != "common" && method != "ceil" && method != "floor" {
		x.fail("FilterArgumentError: method must be common, ceil or floor")
	}
	digits := x.intArg(a[0], 0)
	if u, ok := v.(*undefined); ok {
		x.refuse(u)
	}
	if !isNumber(v) {
		x.fail("TypeError: type %s doesn't define __round__ method", v.typeName())
	}
	if method != "common" {
		return x.roundTo(v, digits, method == "ceil")
	}
	if f, ok := v.(float); ok {
		return float(roundFloat(float64(f), digits))
	}
	return x.roundInt(v, digits)
}

// roundFloat rounds half to even on the exact decimal value.
func roundFloat(f float64, digits int) float64 {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0) || digits > 323:
		return f
	case digits < -308:
		return 0 * f
	case digits >= 0:
		r, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
		return r
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-digits)), nil)
	exact, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'f', -1, 64))
	q := roundRat(exact.Quo(exact, new(big.Rat).SetInt(scale)))
	r, _ := new(big.Rat).SetInt(q.Mul(q, scale)).Float64()
	return math.Copysign(r, f)
}

// roundRat rounds half to even.
func roundRat(r *big.Rat) *big.Int {
	twice := new(big.Int).Mul(r.Num(), big.NewInt(2))
	twice.Add(twice, r.Denom())
	q, rest := floorDivide(twice, new(big.Int).Mul(r.Denom(), big.NewInt(2)))
	if rest.Sign() == 0 && q.Bit(0) == 1 {
		q.Sub(q, big.NewInt(1))
	}
	return q
}

func (x *exec) roundInt(v Value, digits int) Value {
	if digits >= 0 {
		return fromBig(bigOf(v))
	}
	if digits < -maxDigits {
		return integer(0)
	}
	x.step(bigOf(v).BitLen() + 4*-digits)
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-digits)), nil)
	q := roundRat(new(big.Rat).SetFrac(bigOf(v), scale))
	return x.whole(q.Mul(q, scale))
}

// roundTo is ceil or floor at a number of digits: computed with floats, as Jinja
// does.
func (x *exec) roundTo(v Value, digits int, up bool) Value {
	scale := x.arithmetic("**", integer(10), integer(digits))
	scaled := x.arithmetic("*", v, scale)
	if f, ok := scaled.(float); ok {
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			x.fail("OverflowError: cannot convert float infinity or NaN to integer")
		}
		whole := math.Floor(float64(f))
		if up {
			whole = math.Ceil(float64(f))
		}
		scaled = fromBig(bigFloat(whole))
	}
	return x.arithmetic("/", scaled, scale)
}

func filterFileSize(x *exec, v Value, a []Value) Value {
	size, ok := x.toFloat(v)
	if !ok {
		x.fail("ValueError: could not convert to float: %s", x.repr(v))
	}
	step, letter := 1000.0, "B"
	prefixes := []string{"k", "M", "G", "T", "P", "E", "Z", "Y"}
	if x.flag(a[0]) {
		step, letter = 1024, "iB"
		prefixes[0] = "K"
	}
	switch {
	case size == 1:
		return str("1 Byte")
	case size < step:
		return str(strconv.FormatFloat(math.Trunc(size)+0, 'f', 0, 64) + " Bytes") // + 0 drops the sign of zero
	}
	unit := step
	for i, prefix := range prefixes {
		unit *= step
		if size < unit || i == len(prefixes)-1 {
			return str(strconv.FormatFloat(step*size/unit, 'f', 1, 64) + " " + prefix + letter)
		}
	}
	return none{}
}

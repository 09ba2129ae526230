package jinja

import (
	"math"
	"strconv"
	"strings"
)

// maxPrecision bounds the digits of floats; no float has more.
const maxPrecision = 1100

// formatFloat formats a float.
func (x *exec) formatFloat(f float64, spec formatSpec) string {
	kind, precision := spec.kind, min(spec.precision, maxPrecision)
	if spec.precision > maxPrecision {
		x.limit("a float with more than %d digits", maxPrecision)
	}
	end := ""
	var s string
	a := math.Abs(f)
	switch {
	case math.IsInf(a, 0):
		s = "inf"
	case math.IsNaN(a):
		s = "nan"
	case kind == 0 && precision < 0:
		s = floatText(a)
	default:
		if kind == '%' {
			a, kind, end = a*100, 'f', "%"
		}
		if precision < 0 {
			precision = 6
		}
		s = floatDigits(a, kind, precision, spec.alternate)
	}
	if kind >= 'A' && kind <= 'Z' {
		s = strings.ToUpper(s)
	}
	whole, rest := s, ""
	if at := strings.IndexAny(s, ".eE"); at >= 0 {
		whole, rest = s[:at], s[at:]
	}
	return x.finish(spec.signOf(math.Signbit(f) && !math.IsNaN(f)), whole, rest+end, spec)
}

// floatDigits formats a finite float that is not negative.
func floatDigits(f float64, kind byte, precision int, alternate bool) string {
	switch kind {
	case 'e', 'E', 'f', 'F':
		s := strconv.FormatFloat(f, kind|0x20, precision, 64)
		if alternate && strings.IndexByte(s, '.') < 0 {
			if at := strings.IndexByte(s, 'e'); at >= 0 {
				return s[:at] + "." + s[at:]
			}
			s += "."
		}
		return s
	}
	precision = max(precision, 1)
	s := strconv.FormatFloat(f, 'e', precision-1, 64)
	exponent, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	top := precision
	if kind == 0 {
		top-- // without a type a float keeps a digit behind its point
	}
	if exponent < -4 || exponent >= top {
		mantissa, tail, _ := strings.Cut(s, "e")
		if !alternate {
			mantissa = trimZeros(mantissa)
		}
		return mantissa + "e" + tail
	}
	s = strconv.FormatFloat(f, 'f', precision-1-exponent, 64)
	if !alternate {
		s = trimZeros(s)
	}
	if kind == 0 && strings.IndexByte(s, '.') < 0 {
		s += ".0"
	}
	return s
}

// trimZeros drops zeros at the end of a fraction.
func trimZeros(s string) string {
	if strings.IndexByte(s, '.') < 0 {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

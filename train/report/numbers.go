package report

import (
	"math"
	"strconv"
	"strings"
)

// digits is how many significant digits numbers have on the page.
const digits = 4

// format writes a number for people: 0.1234, 12,345, 2e-5.
func format(v float64) string {
	abs := math.Abs(v)
	switch {
	case !finite(v):
		return "not finite"
	case v == 0:
		return "0"
	case abs < 1e-3 || abs >= 1e15:
		return exponent(v, digits-1)
	case abs >= 1000:
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return trimZeros(strconv.FormatFloat(v, 'f', digits-1-int(math.Floor(math.Log10(abs))), 64))
}

// formatFixed writes v with that many digits after the point.
func formatFixed(v float64, decimals int) string {
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-")
	}
	return thousands(text)
}

// signed writes a difference with its sign.
func signed(v float64) string {
	if v > 0 {
		return "+" + format(v)
	}
	return format(v)
}

// exponent writes 2.5e-5, without the zeros that strconv puts in.
func exponent(v float64, precision int) string {
	mantissa, power, _ := strings.Cut(strconv.FormatFloat(v, 'e', precision, 64), "e")
	sign, power := strings.TrimPrefix(power[:1], "+"), strings.TrimLeft(power[1:], "0")
	if power == "" {
		return trimZeros(mantissa)
	}
	return trimZeros(mantissa) + "e" + sign + power
}

func trimZeros(text string) string {
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// thousands puts commas into the whole part of a number.
func thousands(text string) string {
	whole, rest, dot := strings.Cut(text, ".")
	from := len(whole) - len(strings.TrimPrefix(whole, "-"))
	for i := len(whole) - 3; i > from; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dot {
		return whole + "." + rest
	}
	return whole
}

func formatInt(n int64) string { return thousands(strconv.FormatInt(n, 10)) }

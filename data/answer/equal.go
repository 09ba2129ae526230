package answer

import (
	"math"
	"strconv"
	"strings"
)

// tolerance is how far two equal numbers may be apart; GSM8K's answers have at
// most a few decimals.
const tolerance = 1e-6

// Number reads a number as people write it: commas, dollar signs, a trailing
// percent sign or point, and white space around it do not count. "50%" is 50.
func Number(s string) (value float64, ok bool) {
	s = strings.TrimRight(strings.TrimSpace(s), ".")
	if percent := strings.TrimSuffix(s, "%"); percent != s {
		s = strings.TrimRight(percent, " \\.")
	}
	digits := false
	plain := make([]byte, 0, 32)
	for i := range len(s) {
		switch c := s[i]; {
		case c == ',' || c == '$' || c == '\\' && strings.HasPrefix(s[i:], `\$`):
			continue
		case !isDigit(c) && strings.IndexByte("+-.eE", c) < 0:
			return 0, false
		default:
			digits = digits || isDigit(c)
			plain = append(plain, c)
		}
	}
	if !digits {
		return 0, false
	}
	value, err := strconv.ParseFloat(string(plain), 64)
	return value, err == nil
}

func isNumber(s string) bool {
	_, ok := Number(s)
	return ok
}

// Equal says whether two answers are the same: numbers within 1e-6 of each
// other, or else equal texts. A number never equals a text.
func Equal(a, b string) bool {
	x, okX := Number(a)
	y, okY := Number(b)
	if okX || okY {
		return okX && okY && math.Abs(x-y) < tolerance
	}
	return Normalize(a) == Normalize(b)
}

// Normalize is the form in which texts are compared: white space squeezed, and
// without a final point. Case counts.
func Normalize(s string) string {
	return strings.TrimSpace(strings.TrimSuffix(strings.Join(strings.Fields(s), " "), "."))
}

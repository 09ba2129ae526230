package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// float reads a number as serde_json does without its feature float_roundtrip:
// the digits as an integer, then one multiplication or division by a power of
// ten. The result may be the neighbour of the nearest float64, and ties between
// sums of such numbers depend on it.
func (r *reader) float() (float64, error) {
	r.next()
	start := r.i
	raw, err := r.skip()
	if err != nil {
		return 0, err
	}
	var f float64
	if err := json.Unmarshal(raw, &f); err != nil || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, fmt.Errorf("number at byte %d: got %.40q, want a number of a float64", start, raw)
	}
	return serdeFloat(raw), nil
}

// serdeFloat is the value of a valid number in JSON.
func serdeFloat(raw []byte) float64 {
	var digits uint64
	exponent, fraction, full := 0, 0, false
	i := 0
	if raw[0] == '-' {
		i++
	}
number:
	for ; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '.':
			fraction = 1
			continue
		case c == 'e' || c == 'E':
			exponent += parseExponent(raw[i+1:])
			break number
		}
		d := uint64(c - '0')
		if full = full || digits > (math.MaxUint64-d)/10; full { // digits that do not fit are dropped
			exponent += 1 - fraction
			continue
		}
		digits = digits*10 + d
		exponent -= fraction
	}
	f := float64(digits)
	for f != 0 && exponent < -308 {
		f /= 1e308
		exponent += 308
	}
	switch {
	case f == 0:
	case exponent < 0:
		f /= powerOfTen(-exponent)
	default:
		f *= powerOfTen(exponent)
	}
	if raw[0] == '-' {
		return -f
	}
	return f
}

// parseExponent is the exponent behind the e of a valid number; very large ones
// are cut off.
func parseExponent(raw []byte) int {
	n, sign := 0, 1
	for _, c := range raw {
		switch {
		case c == '-':
			sign = -1
		case c != '+':
			n = min(n*10+int(c-'0'), 1<<20)
		}
	}
	return n * sign
}

// powerOfTen is the float64 nearest to 10^n, infinite where there is none.
func powerOfTen(n int) float64 {
	if n < 32 {
		return math.Pow10(n) // exact to here
	}
	f, _ := strconv.ParseFloat("1e"+strconv.Itoa(n), 64) // out of range: infinite
	return f
}

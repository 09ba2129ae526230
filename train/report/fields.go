package report

import (
	"encoding/json"
	"math"
	"strconv"
)

// eachField walks the fields of an object in their order. The object must be
// valid JSON, which encoding/json has checked: a run has a line a step, and
// decoding each into a map would take most of the time of a report.
func eachField(object []byte, visit func(name, value []byte)) {
	i := skipSpace(object, 1) // past the brace
	for i < len(object) && object[i] != '}' {
		from := i
		i = skipString(object, i)
		name := object[from:i]
		i = skipSpace(object, skipSpace(object, i)+1) // past the colon
		from = i
		i = skipValue(object, i)
		visit(name, object[from:i])
		if i = skipSpace(object, i); i < len(object) && object[i] == ',' {
			i = skipSpace(object, i+1)
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString is the place after the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// skipValue is the place after the value that begins at i.
func skipValue(b []byte, i int) int {
	if i < len(b) && b[i] == '"' {
		return skipString(b, i)
	}
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of what a number stands in
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(b)
}

// unquote is the text of a JSON string, "" for any other value.
func unquote(raw []byte) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// number reads a JSON number. Writers put null for numbers that are not finite,
// so null is NaN. ok is false for values of other types.
func number(raw []byte) (v float64, ok bool) {
	if string(raw) == "null" {
		return math.NaN(), true
	}
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return math.NaN(), true // beyond float64
	}
	return v, true
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

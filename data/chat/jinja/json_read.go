package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxJSONDepth bounds how deep JSON values nest.
const maxJSONDepth = 500

// FromJSON decodes one JSON value as Python's json.loads does: keys keep their
// order, of equal ones the last value counts; numbers with a fraction or exponent
// are floats, others ints of any size; NaN and Infinity are known. Escapes of
// lone surrogates become U+FFFD.
func FromJSON(raw []byte) (Value, error) {
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("jinja: JSON: got bytes that are not UTF-8")
	}
	r := &jsonReader{s: string(raw)}
	v := r.value()
	r.space()
	if r.err == nil && r.pos < len(r.s) {
		r.fail("text after the value")
	}
	if r.err != nil {
		return nil, r.err
	}
	return v, nil
}

// jsonReader reads a text; the first fault sticks and moves it to the end.
type jsonReader struct {
	s     string
	pos   int
	depth int
	err   error
}

func (r *jsonReader) fail(format string, args ...any) Value {
	if r.err == nil {
		r.err = fmt.Errorf("jinja: JSON at byte %d: %s", r.pos+1, fmt.Sprintf(format, args...))
	}
	r.pos = len(r.s)
	return none{}
}

func (r *jsonReader) space() {
	for r.pos < len(r.s) && strings.IndexByte(" \t\n\r", r.s[r.pos]) >= 0 {
		r.pos++
	}
}

// take moves over c if it comes next after white space.
func (r *jsonReader) take(c byte) bool {
	r.space()
	if r.pos < len(r.s) && r.s[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

var jsonWords = []struct {
	word string
	v    Value
}{
	{"null", none{}}, {"true", boolean(true)}, {"false", boolean(false)},
	{"NaN", float(math.NaN())}, {"Infinity", float(math.Inf(1))}, {"-Infinity", float(math.Inf(-1))},
}

func (r *jsonReader) value() Value {
	switch {
	case r.take('{'):
		return r.object()
	case r.take('['):
		return r.array()
	case r.take('"'):
		return str(r.text())
	}
	rest := r.s[r.pos:]
	for _, w := range jsonWords {
		if strings.HasPrefix(rest, w.word) {
			r.pos += len(w.word)
			return w.v
		}
	}
	return r.number(rest)
}

func (r *jsonReader) enter() bool {
	if r.depth++; r.depth > maxJSONDepth {
		r.fail("values nest deeper than %d", maxJSONDepth)
		return false
	}
	return true
}

func (r *jsonReader) object() Value {
	d := &dict{}
	if !r.enter() {
		return d
	}
	defer func() { r.depth-- }()
	for first := true; !r.take('}'); first = false {
		if !first && !r.take(',') {
			return r.fail("want ',' or '}'")
		}
		if !r.take('"') {
			return r.fail("want a key in double quotes")
		}
		key := r.text()
		if !r.take(':') {
			return r.fail("want ':'")
		}
		d.setField(key, r.value())
		if r.err != nil {
			return d
		}
	}
	return d
}

func (r *jsonReader) array() Value {
	l := &list{}
	if !r.enter() {
		return l
	}
	defer func() { r.depth-- }()
	for first := true; !r.take(']'); first = false {
		if !first && !r.take(',') {
			return r.fail("want ',' or ']'")
		}
		l.items = append(l.items, r.value())
		if r.err != nil {
			return l
		}
	}
	return l
}

// number reads a number; rest is the text from it on.
func (r *jsonReader) number(rest string) Value {
	n := 0
	if strings.HasPrefix(rest, "-") {
		n = 1
	}
	digits := func() bool {
		start := n
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		return n > start
	}
	start := n
	if !digits() || rest[start] == '0' && n > start+1 {
		return r.fail("want a JSON value")
	}
	whole := true
	if n < len(rest) && rest[n] == '.' {
		n++
		if whole = false; !digits() {
			return r.fail("want digits behind the point")
		}
	}
	if n < len(rest) && rest[n]|0x20 == 'e' {
		n++
		if n < len(rest) && (rest[n] == '+' || rest[n] == '-') {
			n++
		}
		if whole = false; !digits() {
			return r.fail("want digits in the exponent")
		}
	}
	if !whole {
		f, _ := strconv.ParseFloat(rest[:n], 64) // out of range: infinite, as in Python
		r.pos += n
		return float(f)
	}
	return r.integer(rest[:n])
}

func (r *jsonReader) integer(s string) Value {
	if len(s) > maxDigits {
		return r.fail("an int of more than %d digits", maxDigits)
	}
	r.pos += len(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return integer(n)
	}
	n, _ := new(big.Int).SetString(s, 10)
	return fromBig(n)
}

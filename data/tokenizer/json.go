package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a tokenizer.json; real ones need 8.
const maxDepth = 64

// reader walks through a JSON document without building a tree: a vocabulary has
// hundreds of thousands of entries. What it does not visit it skips, checking
// the syntax all the same.
type reader struct {
	raw   []byte
	i     int
	depth int
}

var errSyntax = errors.New("malformed JSON")

func (r *reader) fail(want string) error {
	if r.i >= len(r.raw) {
		return fmt.Errorf("%w at byte %d: want %s, got the end", errSyntax, r.i, want)
	}
	return fmt.Errorf("%w at byte %d: want %s, got %q", errSyntax, r.i, want, r.raw[r.i])
}

// next skips white space and returns the byte that follows, 0 at the end.
func (r *reader) next() byte {
	for r.i < len(r.raw) {
		switch c := r.raw[r.i]; c {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return c
		}
	}
	return 0
}

func (r *reader) open(c byte) error {
	if r.next() != c {
		return r.fail(strconv.QuoteRune(rune(c)))
	}
	if r.depth++; r.depth > maxDepth {
		return fmt.Errorf("nesting at byte %d: got more than %d levels", r.i, maxDepth)
	}
	r.i++
	return nil
}

// more says whether a list or object goes on; it steps over the comma.
func (r *reader) more(first bool, end byte) (bool, error) {
	c := r.next()
	switch {
	case c == end:
		r.i++
		r.depth--
		return false, nil
	case first:
		return true, nil
	case c == ',':
		r.i++
		return true, nil
	}
	return false, r.fail(fmt.Sprintf("',' or %q", end))
}

// object calls field with every key; field reads or skips the value.
func (r *reader) object(field func(key []byte) error) error {
	return r.entries(func(key []byte, _ bool) error { return field(key) })
}

// entries is object that says whether a key is a part of the document.
func (r *reader) entries(field func(key []byte, inPlace bool) error) error {
	if err := r.open('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		if ok, err := r.more(first, '}'); !ok {
			return err
		}
		key, inPlace, err := r.str()
		if err != nil {
			return err
		}
		if r.next() != ':' {
			return r.fail("':'")
		}
		r.i++
		if err := field(key, inPlace); err != nil {
			return err
		}
	}
}

// array calls item for every element; item reads or skips it.
func (r *reader) array(item func(i int) error) error {
	if err := r.open('['); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if ok, err := r.more(i == 0, ']'); !ok {
			return err
		}
		if err := item(i); err != nil {
			return err
		}
	}
}

// str reads a string. inPlace says that the result is a part of the document,
// which it is unless the string has an escape.
func (r *reader) str() (text []byte, inPlace bool, err error) {
	if r.next() != '"' {
		return nil, false, r.fail("a string")
	}
	start := r.i + 1
	for i := start; i < len(r.raw); i++ {
		switch c := r.raw[i]; {
		case c == '"':
			r.i = i + 1
			return r.raw[start:i], true, nil
		case c == '\\':
			text, err = r.escaped(start, i)
			return text, false, err
		case c < ' ':
			r.i = i
			return nil, false, r.fail("no control character in a string")
		}
	}
	r.i = len(r.raw)
	return nil, false, r.fail("the end of a string")
}

// escaped reads a string whose first escape is at i.
func (r *reader) escaped(start, i int) ([]byte, error) {
	for i < len(r.raw) && r.raw[i] != '"' {
		if r.raw[i] == '\\' {
			i++
		}
		i++
	}
	if i >= len(r.raw) {
		r.i = len(r.raw)
		return nil, r.fail("the end of a string")
	}
	quoted := r.raw[start-1 : i+1]
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return nil, fmt.Errorf("%w at byte %d: %.60q: %w", errSyntax, start-1, quoted, err)
	}
	if bytes.ContainsRune([]byte(s), utf8.RuneError) && loneSurrogate(quoted) {
		return nil, fmt.Errorf("%w at byte %d: %.60q has half a surrogate pair", errSyntax, start-1, quoted)
	}
	r.i = i + 1
	return []byte(s), nil
}

// loneSurrogate says whether a quoted string escapes half a surrogate pair, which
// encoding/json silently replaces.
func loneSurrogate(quoted []byte) bool {
	high := false
	for i := 0; i < len(quoted); i++ {
		v := uint64(0)
		if quoted[i] == '\\' {
			i++
			if i+4 < len(quoted) && quoted[i] == 'u' {
				v, _ = strconv.ParseUint(string(quoted[i+1:i+5]), 16, 32)
				i += 4
			}
		}
		low := v >= 0xDC00 && v < 0xE000
		if high != low {
			return true
		}
		high = v >= 0xD800 && v < 0xDC00
	}
	return high
}

// number reads a whole number that is not negative.
func (r *reader) number() (int, error) {
	r.next()
	n, start := 0, r.i
	for ; r.i < len(r.raw) && r.raw[r.i] >= '0' && r.raw[r.i] <= '9'; r.i++ {
		if n = n*10 + int(r.raw[r.i]-'0'); n > 1<<40 {
			return 0, fmt.Errorf("number at byte %d: got more than %d", start, 1<<40)
		}
	}
	if r.i == start {
		return 0, r.fail("a whole number")
	}
	return n, nil
}

// skip steps over a value of any kind and returns its bytes.
func (r *reader) skip() (json.RawMessage, error) {
	var err error
	c := r.next()
	start := r.i
	switch c {
	case '{':
		err = r.object(func([]byte) error { _, err := r.skip(); return err })
	case '[':
		err = r.array(func(int) error { _, err := r.skip(); return err })
	case '"':
		_, _, err = r.str()
	default:
		for r.i < len(r.raw) && (isWord(r.raw[r.i]) || r.raw[r.i] == '-' || r.raw[r.i] == '+' || r.raw[r.i] == '.') {
			r.i++
		}
		if !json.Valid(r.raw[start:r.i]) {
			r.i = start
			err = r.fail("a value")
		}
	}
	return r.raw[start:r.i], err
}

func isWord(b byte) bool { return b >= '0' && b <= '9' || lower(b) >= 'a' && lower(b) <= 'z' }

// end checks that only white space is left.
func (r *reader) end() error {
	if r.next(); r.i < len(r.raw) {
		return r.fail("the end")
	}
	return nil
}

package safetensors

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting is how deep JSON values may lie in each other.
const maxNesting = 128

// scanner reads JSON strictly and without building a tree. encoding/json does
// not serve here: it takes duplicate names and lone surrogates, and its buffers
// would hold a hostile header several times over.
type scanner struct {
	b     []byte
	i     int
	depth int

	// Room for the numbers of one entry: a header may hold many entries.
	dims [maxRank]uint64
	ends [2]uint64
}

var errEnd = errors.New("unexpected end of JSON")

func (s *scanner) fail(want string) error {
	if s.i >= len(s.b) {
		return fmt.Errorf("byte %d: %w, want %s", s.i, errEnd, want)
	}
	return fmt.Errorf("byte %d: got %q, want %s", s.i, s.b[s.i], want)
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) expect(c byte) error {
	if s.peek() != c || s.i >= len(s.b) {
		return s.fail(strconv.QuoteRune(rune(c)))
	}
	s.i++
	return nil
}

// object calls field for every name of an object; field must consume the value.
// A name that comes twice is an error when seen reports it.
func (s *scanner) object(field func(name string) error) error {
	return s.nested('{', '}', func() error {
		if s.peek() != '"' {
			return s.fail("a name in quotes")
		}
		name, err := s.text()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		return field(name)
	})
}

// array calls element before every element of an array.
func (s *scanner) array(element func() error) error { return s.nested('[', ']', element) }

func (s *scanner) nested(open, end byte, item func() error) error {
	if err := s.expect(open); err != nil {
		return err
	}
	if s.depth++; s.depth > maxNesting {
		return fmt.Errorf("byte %d: got values nested more than %d deep", s.i, maxNesting)
	}
	defer func() { s.depth-- }()
	if s.peek() == end {
		s.i++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case end:
			s.i++
			return nil
		default:
			return s.fail("',' or '" + string(rune(end)) + "'")
		}
	}
}

// text reads a string.
func (s *scanner) text() (string, error) {
	if err := s.expect('"'); err != nil {
		return "", err
	}
	start := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			raw := s.b[start:s.i]
			s.i++
			if !utf8.Valid(raw) {
				return "", fmt.Errorf("byte %d: got a string that is not valid UTF-8", start)
			}
			if bytes.IndexByte(raw, '\\') < 0 {
				return string(raw), nil
			}
			return unescape(raw, start)
		case c == '\\':
			s.i += 2
		case c < ' ':
			return "", s.fail("no control character in a string")
		default:
			s.i++
		}
	}
	s.i = len(s.b)
	return "", s.fail("the end of a string")
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func unescape(raw []byte, at int) (string, error) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			i++
			continue
		}
		if c, ok := escapes[raw[i+1]]; ok {
			out = append(out, c)
			i += 2
			continue
		}
		r, ok := hex4(raw[i:])
		i += 6
		if ok && utf16.IsSurrogate(r) {
			low, paired := rune(0), false
			if i < len(raw) && raw[i] == '\\' {
				low, paired = hex4(raw[i:])
			}
			r = utf16.DecodeRune(r, low)
			ok = paired && r != utf8.RuneError
			i += 6
		}
		if !ok {
			return "", fmt.Errorf("byte %d: got a wrong escape in a string", at)
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), nil
}

// hex4 reads \uXXXX.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[1] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(v), err == nil
}

// whole reads a number that is neither negative nor a fraction.
func (s *scanner) whole() (uint64, error) {
	s.peek()
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	digits := s.b[start:s.i]
	if len(digits) == 0 || len(digits) > 1 && digits[0] == '0' {
		s.i = start
		return 0, s.fail("a whole number")
	}
	if s.i < len(s.b) && bytes.IndexByte([]byte(".eE"), s.b[s.i]) >= 0 {
		return 0, s.fail("a whole number without fraction or exponent")
	}
	if len(digits) > 20 {
		return 0, fmt.Errorf("byte %d: got a number of %d digits, want one below 2⁶⁴", start, len(digits))
	}
	v, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("byte %d: got %s, want a number below 2⁶⁴", start, digits)
	}
	return v, nil
}

// null consumes the word null if it is next.
func (s *scanner) null() bool {
	s.peek()
	if !bytes.HasPrefix(s.b[s.i:], []byte("null")) {
		return false
	}
	s.i += 4
	return true
}

// skip reads over one value of any kind.
func (s *scanner) skip() error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(func(string) error { return s.skip() })
	case c == '[':
		return s.array(s.skip)
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.b[s.i:], []byte(word)) {
			s.i += len(word)
			return nil
		}
	}
	return s.fail("a value")
}

// number reads over a number of any kind.
func (s *scanner) number() error {
	start := s.i
	digits := func() bool {
		from := s.i
		for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
			s.i++
		}
		return s.i > from
	}
	is := func(set string) bool {
		if s.i < len(s.b) && bytes.IndexByte([]byte(set), s.b[s.i]) >= 0 {
			s.i++
			return true
		}
		return false
	}
	is("-")
	from := s.i
	ok := digits() && (s.b[from] != '0' || s.i == from+1)
	if ok && is(".") {
		ok = digits()
	}
	if ok && is("eE") {
		is("+-")
		ok = digits()
	}
	if !ok {
		return fmt.Errorf("byte %d: got a malformed number", start)
	}
	return nil
}

// end checks that only white space is left.
func (s *scanner) end() error {
	if s.peek(); s.i < len(s.b) {
		return s.fail("nothing after the object")
	}
	return nil
}

// clip shortens text from a file for a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

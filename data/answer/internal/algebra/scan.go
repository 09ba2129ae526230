package algebra

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Limits on what is read.
const (
	maxText   = 4096
	maxDepth  = 48
	maxNodes  = 2000
	maxDigits = 1000
)

// ErrUnreadable is wrapped by the errors for texts that are no formula.
var ErrUnreadable = errors.New("algebra: no formula")

// noise are LaTeX commands without meaning for the value.
var noise = map[string]bool{
	`left`: true, `right`: true, `displaystyle`: true, `textstyle`: true, `quad`: true, `qquad`: true, `limits`: true,
	`big`: true, `Big`: true, `bigg`: true, `Bigg`: true, `bigl`: true, `bigr`: true, `Bigl`: true, `Bigr`: true, `middle`: true,
}

// fonts are LaTeX commands whose argument is read as if they were not there.
var fonts = map[string]bool{
	`mathbf`: true, `mathit`: true, `mathsf`: true, `boldsymbol`: true, `bf`: true, `boxed`: true, `fbox`: true, `mathcal`: true, `bm`: true, `overline`: true,
}

// scanner walks over the bytes of a formula.
type scanner struct {
	text   string
	at     int
	depth  int
	nodes  int
	within int // brackets that are open: commas part, they do not group digits
	dx     int // integrals that are open: dx ends their body
}

func (s *scanner) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d of %.60q", ErrUnreadable, what, s.at, s.text)
}

// enter counts nesting and work; leave undoes the nesting.
func (s *scanner) enter() error {
	s.depth++
	s.nodes++
	if s.depth > maxDepth || s.nodes > maxNodes {
		return s.fail("too deep or too long")
	}
	return nil
}

func (s *scanner) leave() { s.depth-- }

func (s *scanner) rest() string { return s.text[s.at:] }

// skip passes over white space and commands without meaning.
func (s *scanner) skip() {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '~' || c == '$':
			s.at++
		case c == '\\':
			n := s.blank()
			if n == 0 {
				return
			}
			s.at += n
		default:
			return
		}
	}
}

// blank is the length of the command without meaning that stands here, or 0.
func (s *scanner) blank() int {
	r := s.rest()
	if len(r) == 1 {
		return 1
	}
	if strings.IndexByte(",;:! $", r[1]) >= 0 {
		return 2
	}
	if name := s.command(); noise[name] {
		n := 1 + len(name)
		if n < len(r) && r[n] == '.' { // \left. has no bracket
			n++
		}
		return n
	}
	return 0
}

// command is the name of the LaTeX command here, without the backslash.
func (s *scanner) command() string {
	r := s.rest()
	if r == "" || r[0] != '\\' {
		return ""
	}
	n := 1
	for n < len(r) && isLetter(r[n]) {
		n++
	}
	return r[1:n]
}

// take passes over the first of the given marks that stands here.
func (s *scanner) take(marks ...string) bool {
	s.skip()
	for _, m := range marks {
		if !strings.HasPrefix(s.rest(), m) {
			continue
		}
		after := s.rest()[len(m):]
		if isLetter(m[len(m)-1]) && after != "" && isLetter(after[0]) && (m[0] == '\\' || len(m) > 1) {
			continue // a longer name
		}
		s.at += len(m)
		return true
	}
	return false
}

// raw reads the text of a {…} group that stands here.
func (s *scanner) raw() (string, bool) {
	s.skip()
	if !strings.HasPrefix(s.rest(), "{") {
		return "", false
	}
	depth := 0
	for i := s.at; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				got := s.text[s.at+1 : i]
				s.at = i + 1
				return got, true
			}
		}
	}
	return "", false
}

// numeral reads an unsigned decimal number: 1,234 and 1{,}234 and 10\,000 and
// 1 000 group digits, 6.02e23 has an exponent, a final point does not count.
func (s *scanner) numeral() (*Node, bool) {
	digits, points := []byte{}, 0
	for s.at < len(s.text) {
		r := s.rest()
		switch n := s.group(len(digits)); {
		case isDigit(r[0]):
			digits = append(digits, r[0])
			s.at++
			continue
		case r[0] == '.' && points == 0:
			digits = append(digits, '.')
			points++
			s.at++
			continue
		case n > 0 && points == 0:
			s.at += n
			continue
		}
		break
	}
	text := strings.TrimSuffix(string(digits), ".")
	if text == "" || len(text) > maxDigits {
		return nil, false
	}
	text += s.exponent()
	r, ok := new(big.Rat).SetString(text)
	return &Node{kind: number, num: r}, ok
}

// group is the length of the mark here that groups digits in threes, or 0.
func (s *scanner) group(before int) int {
	if before == 0 {
		return 0
	}
	for _, m := range []string{"{,}", `\,`, `\!`, ",", " "} {
		r, ok := strings.CutPrefix(s.rest(), m)
		if !ok || m == "," && (s.within > 0 || before > 3 && before%3 != 0 && !s.grouped()) {
			continue
		}
		r = strings.TrimPrefix(r, `\!`)
		if len(r) >= 3 && isDigit(r[0]) && isDigit(r[1]) && isDigit(r[2]) && (len(r) == 3 || !isDigit(r[3])) {
			return len(s.rest()) - len(r)
		}
	}
	return 0
}

// grouped says whether the three bytes before follow a comma already.
func (s *scanner) grouped() bool { return s.at >= 4 && s.text[s.at-4] == ',' }

// exponent reads e23 or E-5 after digits.
func (s *scanner) exponent() string {
	r := s.rest()
	if len(r) < 2 || r[0] != 'e' && r[0] != 'E' {
		return ""
	}
	n := 1
	if r[n] == '-' || r[n] == '+' {
		n++
	}
	start := n
	for n < len(r) && isDigit(r[n]) {
		n++
	}
	if n == start || n-start > 3 {
		return ""
	}
	s.at += n
	return r[:n]
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

package answer

import (
	"strings"
	"unicode"
)

// Extractor finds the final answer in a text; ok is false where there is none.
type Extractor func(text string) (answer string, ok bool)

// First returns an extractor that tries others in order and takes the first
// answer found.
func First(extractors ...Extractor) Extractor {
	return func(text string) (string, bool) {
		for _, e := range extractors {
			if a, ok := e(text); ok {
				return a, true
			}
		}
		return "", false
	}
}

// GSM8K finds the answer of a grade-school maths solution: after "####", on a
// line "A: n", in \boxed{}, or else the last number.
func GSM8K(text string) (string, bool) { return First(Hash, Line, boxedNumber, LastNumber)(text) }

// boxedNumber is Boxed for boxes with a number in them.
func boxedNumber(text string) (string, bool) {
	if a, ok := Boxed(text); ok && isNumber(a) {
		return a, true
	}
	return "", false
}

// Hash finds the number after the last "####", the mark of GSM8K's own
// solutions (Cobbe et al. 2021, arXiv:2110.14168).
func Hash(text string) (string, bool) {
	return lastAfter(text, "####", func(string) bool { return true }, "0123456789.,$")
}

// Line finds the number on the last line that reads "A: n".
func Line(text string) (string, bool) {
	return lastAfter(text, "A:", func(before string) bool { return before == "" || before[len(before)-1] == '\n' }, "0123456789.,")
}

// lastAfter finds the last mark that stands where place allows and that white
// space and a number follow: an optional sign, then characters out of set. With a
// set without the dollar, one may stand before the digits.
func lastAfter(text, mark string, place func(before string) bool, set string) (string, bool) {
	found := ""
	for at := strings.Index(text, mark); at >= 0; {
		rest := text[at+len(mark):]
		if place(text[:at]) {
			trimmed := strings.TrimLeftFunc(rest, unicode.IsSpace)
			if n := markedNumber(trimmed, set); n > 0 {
				found, rest = trimmed[:n], trimmed[n:]
			}
		}
		next := strings.Index(rest, mark)
		if next < 0 {
			break
		}
		at = len(text) - len(rest) + next
	}
	if !isNumber(found) {
		return "", false
	}
	return found, true
}

// markedNumber is the length of the number that text begins with, or 0.
func markedNumber(text, set string) int {
	n := 0
	if strings.HasPrefix(text, "-") {
		n++
	}
	if !strings.Contains(set, "$") && strings.HasPrefix(text[n:], "$") {
		n++
	}
	digits := len(text[n:]) - len(strings.TrimLeft(text[n:], set))
	if digits == 0 {
		return 0
	}
	return n + digits
}

// LastNumber finds the last number: digits, perhaps with commas and decimals,
// after an optional minus and dollar. "4-3" ends in -3 and "1 000" in 000: a
// minus belongs to what follows it, and a space ends a number.
func LastNumber(text string) (string, bool) {
	found := ""
	for i := 0; i < len(text); {
		n := number(text[i:])
		if n == 0 {
			i++
			continue
		}
		found = text[i : i+n]
		i += n
	}
	return found, found != ""
}

// number is the length of the number that text begins with, or 0.
func number(text string) int {
	n := 0
	for _, c := range "-$" {
		if n < len(text) && rune(text[n]) == c {
			n++
		}
	}
	whole := n
	for n < len(text) && (isDigit(text[n]) || text[n] == ',' && n > whole) {
		n++
	}
	end := n
	if n < len(text) && text[n] == '.' {
		for n++; n < len(text) && isDigit(text[n]); n++ {
			end = n + 1
		}
	}
	if end == whole {
		return 0
	}
	return end
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Boxed finds the contents of the last \boxed{…} or \fbox{…} whose braces are
// closed; of nested ones, the innermost.
func Boxed(text string) (string, bool) {
	var open []int // where the contents of open groups begin, negative for groups without a box
	found, start := "", -1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			n := max(prefixLen(text[i:], `\boxed{`), prefixLen(text[i:], `\fbox{`))
			if n > 0 {
				open = append(open, i+n)
				i += n - 1
			} else {
				i++ // an escaped brace is text
			}
		case '{':
			open = append(open, -1)
		case '}':
			if len(open) == 0 {
				continue
			}
			if at := open[len(open)-1]; at > start {
				found, start = strings.TrimSpace(text[at:i]), at
			}
			open = open[:len(open)-1]
		}
	}
	return found, start >= 0
}

// prefixLen is the length of prefix where text begins with it, or 0.
func prefixLen(text, prefix string) int {
	if strings.HasPrefix(text, prefix) {
		return len(prefix)
	}
	return 0
}

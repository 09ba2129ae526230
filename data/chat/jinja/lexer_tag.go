package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// inside reads one token of a tag or closes the tag.
func (l *lexer) inside() {
	rest := l.src[l.pos:]
	if trimmed := strings.TrimLeftFunc(rest, isSpace); len(l.braces) == 0 && l.close(rest) {
		return
	} else if len(trimmed) < len(rest) {
		l.skip(len(rest) - len(trimmed))
		return
	}
	if rest == "" {
		l.emit(tokEOF, "")
		return
	}
	for _, scan := range []func(string) bool{l.number, l.word, l.quoted, l.operator} {
		if scan(rest) {
			return
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	l.fail("unexpected char %q at %d", r, utf8.RuneCountInString(l.src[:l.pos]))
}

// close ends the tag if its closing sign stands here.
func (l *lexer) close(rest string) bool {
	at := 0
	if rest != "" && (rest[0] == '-' || rest[0] == '+' && l.closer == "%}") {
		at = 1
	}
	if !strings.HasPrefix(rest[at:], l.closer) {
		return false
	}
	n := at + 2
	if l.closer == "}}" {
		l.emit(tokVarEnd, "")
		if at == 1 {
			n += after(rest, at)
		}
	} else {
		l.emit(tokBlockEnd, "")
		n += after(rest, at)
	}
	l.closer = ""
	l.skip(n)
	return true
}

// number reads an int or a float. After a dot there are no floats, so that
// x.0.1 takes items.
func (l *lexer) number(rest string) bool {
	whole := digits(rest, 0)
	if whole == 0 {
		return false
	}
	if l.pos == 0 || l.src[l.pos-1] != '.' {
		if n := floatEnd(rest, whole); n > 0 {
			l.emit(tokFloat, strings.ReplaceAll(rest[:n], "_", ""))
			l.skip(n)
			return true
		}
	}
	n := intEnd(rest)
	l.emit(tokInt, strings.ReplaceAll(rest[:n], "_", ""))
	l.skip(n)
	return true
}

// digits returns the end of a run of digits with single underscores between
// them that starts at i; i itself if there is none.
func digits(s string, i int) int {
	end := i
	for j := i; j < len(s); j++ {
		switch {
		case s[j] >= '0' && s[j] <= '9':
			end = j + 1
		case s[j] == '_' && j == end && j > i:
		default:
			return end
		}
	}
	return end
}

// floatEnd returns the end of a float whose whole part ends at i, or 0.
func floatEnd(s string, i int) int {
	end := i
	fraction := false
	if i < len(s) && s[i] == '.' {
		if j := digits(s, i+1); j > i+1 {
			end, fraction = j, true
		}
	}
	if end < len(s) && (s[end] == 'e' || s[end] == 'E') {
		j := end + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if k := digits(s, j); k > j {
			return k
		}
	}
	if fraction {
		return end
	}
	return 0
}

// intEnd returns the end of the int that s starts with: decimal, or with one of
// the prefixes 0x, 0o, 0b. A leading 0 is an int of its own, as in Jinja.
func intEnd(s string) int {
	if s[0] != '0' {
		return digits(s, 0)
	}
	if len(s) > 2 {
		set := map[byte]string{'x': "0123456789abcdefABCDEF", 'o': "01234567", 'b': "01"}[s[1]|0x20]
		end := 2
		for j := 2; j < len(s) && set != ""; j++ {
			if strings.IndexByte(set, s[j]) >= 0 {
				end = j + 1
			} else if s[j] != '_' || j != end {
				break
			}
		}
		if end > 2 {
			return end
		}
	}
	end := 1
	for j := 1; j < len(s); j++ {
		if s[j] == '0' {
			end = j + 1
		} else if s[j] != '_' || j != end {
			break
		}
	}
	return end
}

func isWordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nl, unicode.No, unicode.Pc)
}

func (l *lexer) word(rest string) bool {
	n := len(rest) - len(strings.TrimLeftFunc(rest, isWordRune))
	if n == 0 {
		return false
	}
	first, _ := utf8.DecodeRuneInString(rest)
	if first != '_' && !unicode.IsLetter(first) && !unicode.Is(unicode.Nl, first) {
		l.fail("Invalid character in identifier")
	}
	l.emit(tokName, rest[:n])
	l.skip(n)
	return true
}

func (l *lexer) quoted(rest string) bool {
	q := rest[0]
	if q != '\'' && q != '"' {
		return false
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case q:
			l.emit(tokString, l.unescape(rest[1:i]))
			l.skip(i + 1)
			return true
		}
	}
	return false
}

var closing = map[string]byte{"(": ')', "[": ']', "{": '}'}

func (l *lexer) operator(rest string) bool {
	n := 0
	if len(rest) > 1 {
		switch rest[:2] {
		case "//", "**", "==", "!=", ">=", "<=":
			n = 2
		}
	}
	if n == 0 && strings.IndexByte("+-/*%~[](){}><=.:|,;", rest[0]) >= 0 {
		n = 1
	}
	if n == 0 {
		return false
	}
	l.balance(rest[:n])
	l.emit(tokOp, rest[:n])
	l.skip(n)
	return true
}

// balance keeps track of brackets: inside them "}}" and "%}" do not end a tag.
func (l *lexer) balance(op string) {
	if c, ok := closing[op]; ok {
		l.braces = append(l.braces, c)
		return
	}
	if op != ")" && op != "]" && op != "}" {
		return
	}
	if len(l.braces) == 0 {
		l.fail("unexpected '%s'", op)
	}
	want := l.braces[len(l.braces)-1]
	l.braces = l.braces[:len(l.braces)-1]
	if want != op[0] {
		l.fail("unexpected '%s', expected '%c'", op, want)
	}
}

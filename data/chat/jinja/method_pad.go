package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
)

// padMethods fill text up to a width.
var padMethods = []*builtin{
	onText("ljust", []string{"width", "fillchar?"}, func(x *exec, s string, a []Value) Value {
		n, fill := x.padding(s, a)
		return str(s + strings.Repeat(fill, n))
	}),
	onText("rjust", []string{"width", "fillchar?"}, func(x *exec, s string, a []Value) Value {
		n, fill := x.padding(s, a)
		return str(strings.Repeat(fill, n) + s)
	}),
	onText("center", []string{"width", "fillchar?"}, func(x *exec, s string, a []Value) Value {
		n, fill := x.padding(s, a)
		left := n/2 + n&x.index(a[0])&1 // as CPython rounds
		return str(strings.Repeat(fill, left) + s + strings.Repeat(fill, n-left))
	}),
	onText("zfill", []string{"width"}, func(x *exec, s string, a []Value) Value {
		n, _ := x.padding(s, []Value{a[0], nil})
		sign := 0
		if s != "" && (s[0] == '-' || s[0] == '+') {
			sign = 1
		}
		return str(s[:sign] + strings.Repeat("0", n) + s[sign:])
	}),
	withNames(onText("expandtabs", []string{"tabsize?"}, func(x *exec, s string, a []Value) Value {
		return str(x.expandTabs(s, x.intArg(a[0], 8)))
	})),
}

// padding returns how many fill characters are missing to the width.
func (x *exec) padding(s string, a []Value) (n int, fill string) {
	fill = " "
	if a[1] != nil {
		if fill = x.textArg(a[1], "The fill character"); utf8.RuneCountInString(fill) != 1 {
			x.fail("TypeError: The fill character must be exactly one character long")
		}
	}
	n = max(x.intArg(a[0], 0)-utf8.RuneCountInString(s), 0)
	x.repeat(n, len(fill))
	return n, fill
}

func (x *exec) expandTabs(s string, size int) string {
	size = max(size, 0)
	x.repeat(strings.Count(s, "\t"), size)
	var out strings.Builder
	column := 0
	for _, r := range s {
		switch {
		case r == '\t':
			if size > 0 {
				n := size - column%size
				out.WriteString(strings.Repeat(" ", n))
				column += n
			}
			continue
		case r == '\n' || r == '\r':
			column = -1
		}
		out.WriteRune(r)
		column++
	}
	return out.String()
}

// casefold is str.casefold.
func casefold(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	return cases.Fold().String(s)
}

// classMethods tell what a text consists of.
var classMethods = []*builtin{
	allOf("isspace", isSpace),
	allOf("isalpha", unicode.IsLetter),
	allOf("isdecimal", func(r rune) bool { return unicode.Is(unicode.Nd, r) }),
	allOf("isdigit", isDigit),
	allOf("isnumeric", unicode.IsNumber),
	allOf("isalnum", func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
	textTest("isascii", ascii),
	textTest("isprintable", func(s string) bool {
		return strings.IndexFunc(s, func(r rune) bool { return !printable(r) }) < 0
	}),
	textTest("islower", isLower),
	textTest("isupper", isUpper),
	textTest("istitle", isTitle),
	textTest("isidentifier", isIdentifier),
}

func textTest(name string, holds func(string) bool) *builtin {
	return onText(name, nil, func(_ *exec, s string, _ []Value) Value { return boolean(holds(s)) })
}

// allOf holds for texts that are not empty and whose characters are all in a class.
func allOf(name string, in func(rune) bool) *builtin {
	return textTest(name, func(s string) bool { return s != "" && run(s, in) == len(s) })
}

// isDigit adds the superscripts and circled digits that have a digit value.
func isDigit(r rune) bool {
	switch {
	case unicode.Is(unicode.Nd, r), r == '²', r == '³', r == '¹', r == '⁰':
		return true
	}
	return r >= '⁴' && r <= '⁹' || r >= '₀' && r <= '₉' || r >= '①' && r <= '⑨' || r >= '⑴' && r <= '⑼' ||
		r >= '⒈' && r <= '⒐' || r == '⓪' || r >= '⓵' && r <= '⓽' || r == '⓿' || r >= '❶' && r <= '❾' ||
		r >= '➀' && r <= '➈' || r >= '➊' && r <= '➒'
}

// isTitle is str.istitle: words start with upper or title case and go on in lower
// case.
func isTitle(s string) bool {
	inWord, any := false, false
	for _, r := range s {
		switch {
		case upperCase(r) || unicode.IsTitle(r):
			if inWord {
				return false
			}
			inWord, any = true, true
		case lowerCase(r):
			if !inWord {
				return false
			}
		default:
			inWord = false
		}
	}
	return any
}

func isIdentifier(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	return s != "" && (first == '_' || unicode.IsLetter(first)) && run(s, isWordRune) == len(s)
}

package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// Python changes case with Unicode's full mappings: "ß" becomes "SS". x/text has
// them; ASCII text, the usual case, takes a short way.

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func upper(s string) string {
	if ascii(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

// capitalize is str.capitalize: the first character in title case, the rest in
// lower case.
func capitalize(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return titleCase(s[:n]) + lower(s[n:])
}

// titleCase changes one character.
func titleCase(s string) string {
	if ascii(s) {
		return strings.ToUpper(s)
	}
	return cases.Title(language.Und, cases.NoLower).String(s)
}

// titled is str.title: each run of letters starts with title case.
func titled(s string) string {
	var out strings.Builder
	for s != "" {
		n := run(s, func(r rune) bool { return !cased(r) })
		out.WriteString(s[:n])
		s = s[n:]
		n = run(s, cased)
		out.WriteString(capitalize(s[:n]))
		s = s[n:]
	}
	return out.String()
}

func swapCase(s string) string {
	var out strings.Builder
	for _, r := range s {
		switch {
		case upperCase(r):
			out.WriteString(lower(string(r)))
		case lowerCase(r):
			out.WriteString(upper(string(r)))
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

func lowerCase(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Other_Lowercase, r) }
func upperCase(r rune) bool { return unicode.IsUpper(r) || unicode.Is(unicode.Other_Uppercase, r) }

// cased reports whether a character has a case.
func cased(r rune) bool { return lowerCase(r) || upperCase(r) || unicode.IsTitle(r) }

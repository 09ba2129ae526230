package jinja

import "unicode"

// isSpace is Python's str.isspace for one character: Unicode white space and the
// separators U+001C to U+001F, which Go leaves out.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
}

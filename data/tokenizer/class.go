package tokenizer

import (
	"math/bits"
	"unicode/utf8"
)

// class is the category of a character in the low four bits, and flags.
type class uint8

// Categories. Oniguruma's tables (Unicode 16) decide: that is the engine behind
// the patterns of tokenizer.json.
const (
	classOther class = iota
	classLu
	classLl
	classLt
	classLm
	classLo
	classM
	classN
	classP
	classS
	classSpace // White_Space
	classMask  = class(15)
)

// Flags for steps that do not use a pattern and so see other tables.
const (
	flagNumeric class = 16 << iota // char::is_numeric of Rust's standard library
	flagPunct                      // crate unicode_categories (Unicode 8), or ASCII punctuation
	flagWord                       // \w of crate regex
)

// set is a set of categories.
type set uint16

const (
	letters  = set(1<<classLu | 1<<classLl | 1<<classLt | 1<<classLm | 1<<classLo)
	marks    = set(1 << classM)
	numbers  = set(1 << classN)
	symbols  = set(1<<classP | 1<<classS)
	spaces   = set(1 << classSpace)
	anything = set(1<<16 - 1)
)

func (s set) has(c class) bool { return s>>(c&classMask)&1 != 0 }

// classOf is the class of a character.
func classOf(r rune) class {
	if uint32(r) < classLimit {
		return class(classBlocks[int(classIndex[r>>7])<<7|int(r&127)])
	}
	if r >= 0xE0100 && r <= 0xE01EF {
		return classM | flagWord // variation selectors
	}
	return classOther
}

// at is the class and the length in bytes of the character that starts at s[i].
func at(s string, i int) (class, int) {
	if b := s[i]; b < utf8.RuneSelf {
		return class(classBlocks[b]), 1 // the first block is ASCII
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return classOf(r), n
}

// run is the end of the longest run of characters in want that starts at s[i].
func run(s string, i int, want set) int {
	for i < len(s) {
		c, n := at(s, i)
		if !want.has(c) {
			break
		}
		i += n
	}
	return i
}

// runMax is run with at most limit characters.
func runMax(s string, i int, want set, limit int) int {
	for ; i < len(s) && limit > 0; limit-- {
		c, n := at(s, i)
		if !want.has(c) {
			break
		}
		i += n
	}
	return i
}

// isSpace says whether r has the property White_Space.
func isSpace(r rune) bool { return classOf(r)&classMask == classSpace }

// lastRune is the start of the character that ends at s[end].
func lastRune(s string, end int) int {
	_, n := utf8.DecodeLastRuneInString(s[:end])
	return end - n
}

// ceilPow2 is the smallest power of two that is at least n.
func ceilPow2(n int) int {
	if n <= 1 {
		return 1
	}
	return 1 << bits.Len(uint(n-1))
}

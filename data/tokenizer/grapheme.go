package tokenizer

import "unicode/utf8"

// Classes of characters for grapheme clusters (Unicode Annex 29, version 17).
const (
	breakOther uint8 = iota
	breakCR
	breakLF
	breakControl
	breakExtend     // Extend that is not in an Indic conjunct
	breakExtendInCB // Extend that is
	breakLinker     // Extend that joins consonants
	breakZWJ        // zero width joiner
	breakSpacing    // SpacingMark
	breakPrepend    // joins what follows
	breakL          // leading consonant of Hangul
	breakV          // vowel of Hangul
	breakT          // trailing consonant of Hangul
	breakLV         // syllable without a trailing consonant
	breakLVT        // syllable with one
	breakRegional   // half a flag
	breakConsonant  // of an Indic conjunct
	breakPictograph // Extended_Pictographic
)

func breakOf(r rune) uint8 {
	switch {
	case r >= hangulFirst && r <= hangulLast:
		if (r-hangulFirst)%jamoT == 0 {
			return breakLV
		}
		return breakLVT
	case r >= ' ' && r < 0x7F:
		return breakOther
	}
	return breaks.of(r)
}

// cluster is what must be known of a grapheme cluster to decide whether the next
// character belongs to it.
type cluster struct {
	last     uint8
	pict     bool // a pictograph and Extend only, perhaps a ZWJ at the end
	conjunct bool // a consonant, and Extend and linkers only
	linked   bool // a linker behind that consonant
	odd      bool // an odd number of regional indicators
}

// add takes the next character into the cluster.
func (c *cluster) add(b uint8) {
	extend := b == breakExtend || b == breakExtendInCB || b == breakLinker
	c.pict = b == breakPictograph || c.pict && (extend && c.last != breakZWJ || b == breakZWJ && c.last != breakZWJ)
	inside := b == breakExtendInCB || b == breakLinker || b == breakZWJ
	c.linked = c.conjunct && inside && (c.linked || b == breakLinker)
	c.conjunct = b == breakConsonant || c.conjunct && inside
	c.odd = b == breakRegional && !c.odd
	c.last = b
}

// joins says whether a character belongs to the cluster before it; the numbers
// are those of the rules GB3 to GB13.
func (c *cluster) joins(b uint8) bool {
	a := c.last
	switch {
	case a == breakCR && b == breakLF: // 3
		return true
	case a == breakCR || a == breakLF || a == breakControl: // 4
		return false
	}
	switch b {
	case breakCR, breakLF, breakControl: // 5
		return false
	case breakExtend, breakExtendInCB, breakLinker, breakZWJ, breakSpacing: // 9, 9a
		return true
	}
	if a == breakPrepend { // 9b
		return true
	}
	switch b {
	case breakL, breakLV, breakLVT: // 6
		return a == breakL
	case breakV: // 6, 7
		return a == breakL || a == breakV || a == breakLV
	case breakT: // 7, 8
		return a == breakV || a == breakLV || a == breakLVT || a == breakT
	case breakConsonant: // 9c
		return c.conjunct && c.linked
	case breakPictograph: // 11
		return c.pict && a == breakZWJ
	case breakRegional: // 12, 13
		return a == breakRegional && c.odd
	}
	return false
}

// graphemeEnd is the end of the extended grapheme cluster that starts at s[i].
func graphemeEnd(s string, i int) int {
	if i+1 < len(s) && s[i] >= ' ' && s[i] < 0x7F && s[i+1] >= ' ' && s[i+1] < 0x7F {
		return i + 1
	}
	var c cluster
	r, n := utf8.DecodeRuneInString(s[i:])
	c.add(breakOf(r))
	for i += n; i < len(s); i += n {
		r, n = utf8.DecodeRuneInString(s[i:])
		b := breakOf(r)
		if !c.joins(b) {
			break
		}
		c.add(b)
	}
	return i
}

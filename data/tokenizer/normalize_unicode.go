package tokenizer

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unicodeForm is one of the normalisation forms of Unicode Annex 15.
//
// Text that already has the form, which nearly all text has, is found by
// golang.org/x/text and left as it is. Other text is decomposed and composed
// here, because the origin of each character must be known, with the rules of
// the Rust crate unicode-normalization-alignments 0.1.12.
type unicodeForm struct {
	form      norm.Form
	decompose norm.Form // NFD or NFKD
	compose   bool
}

func newUnicodeForm(name string) *unicodeForm {
	switch name {
	case "NFC":
		return &unicodeForm{norm.NFC, norm.NFD, true}
	case "NFD":
		return &unicodeForm{norm.NFD, norm.NFD, false}
	case "NFKC":
		return &unicodeForm{norm.NFKC, norm.NFKD, true}
	}
	return &unicodeForm{norm.NFKD, norm.NFKD, false}
}

// mark is a character with its combining class while the order is settled.
type mark struct {
	change
	class uint8
}

func (n *unicodeForm) normalize(w *worker, p piece) piece {
	if n.form.IsNormalString(p.text) {
		return p
	}
	w.marks = n.decomposed(w.marks[:0], p.text)
	if n.compose {
		w.dest = composed(w.dest[:0], w.marks)
	} else {
		w.dest = w.dest[:0]
		for _, m := range w.marks {
			w.dest = append(w.dest, m.change)
		}
	}
	b := w.normal.next(w.track, len(p.text))
	b.transform(p, w.dest, 0)
	return b.piece(p.base)
}

// decomposed appends the decomposition of s in canonical order. The first
// character of a decomposition replaces, the others are inserted.
func (n *unicodeForm) decomposed(dst []mark, s string) []mark {
	start := len(dst) // of the run of marks that is not sorted yet
	add := func(r rune, kind int) {
		class := combiningClass(r)
		if class == 0 {
			sortMarks(dst[start:])
			start = len(dst) + 1
		}
		dst = append(dst, mark{change{r, kind}, class})
	}
	for i, size := 0, 0; i < len(s); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(s[i:])
		if r >= hangulFirst && r <= hangulLast {
			l, v, t := jamo(r)
			add(l, 0)
			add(v, 1)
			if t != 0 {
				add(t, 1)
			}
			continue
		}
		d := n.decompose.PropertiesString(s[i:]).Decomposition()
		if len(d) == 0 || newerThanTables(r) {
			add(r, 0)
			continue
		}
		kind := 0
		for _, r := range str(d) {
			add(r, kind)
			kind = 1
		}
	}
	sortMarks(dst[start:])
	return dst
}

// Hangul syllables are decomposed by arithmetic (Unicode 3.12).
const (
	hangulFirst, hangulLast = 0xAC00, 0xD7A3
	jamoV, jamoT            = 21, 28 // vowels, trailing consonants with none
)

func jamo(r rune) (l, v, t rune) {
	r -= hangulFirst
	if t = r % jamoT; t != 0 {
		t += 0x11A7
	}
	return 0x1100 + r/(jamoV*jamoT), 0x1161 + r/jamoT%jamoV, t
}

func sortMarks(m []mark) {
	if len(m) > 1 {
		slices.SortStableFunc(m, func(a, b mark) int { return int(a.class) - int(b.class) })
	}
}

func combiningClass(r rune) uint8 {
	if r < 0x300 || newerThanTables(r) {
		return 0
	}
	var b [utf8.UTFMax]byte
	return norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).CCC()
}

// composed appends the composition of a decomposed text: a mark joins the last
// starter unless a mark between them has the same or a higher class.
func composed(dst []change, src []mark) []change {
	starter := -1 // of the open sequence, in dst
	last := -1    // class of the last mark that did not join, -1 for none
	for _, m := range src {
		if starter < 0 {
			if m.class == 0 {
				starter = len(dst)
			}
			dst = append(dst, m.change)
			continue
		}
		if last < 0 || last < int(m.class) {
			if r, ok := composePair(dst[starter].r, m.r); ok {
				dst[starter].r = r
				dst[starter].kind += m.kind - 1
				continue
			}
		}
		if m.class == 0 {
			starter, last = len(dst), -1
		} else {
			last = int(m.class)
		}
		dst = append(dst, m.change)
	}
	return dst
}

// composePair is the primary composite of two characters.
func composePair(a, b rune) (rune, bool) {
	if newerThanTables(a) || newerThanTables(b) {
		return 0, false
	}
	var in [2 * utf8.UTFMax]byte
	n := utf8.EncodeRune(in[:], a)
	n += utf8.EncodeRune(in[n:], b)
	var out [4 * utf8.UTFMax]byte
	joined := norm.NFC.Append(out[:0], in[:n]...)
	r, size := utf8.DecodeRune(joined)
	if size != len(joined) || newerThanTables(r) {
		return 0, false
	}
	return r, true
}

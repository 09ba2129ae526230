package tokenizer

import (
	"encoding/json"
	"unicode/utf8"
)

// bert is the basic cleaning of BERT: control characters go, white space becomes
// the space, Chinese characters get spaces around them, accents go, and letters
// become lower case.
type bert struct {
	clean, chinese, accents, lower bool

	rest []normalizer // what comes after cleaning
}

func parseBert(raw json.RawMessage) (normalizer, error) {
	fields := struct {
		Clean   bool  `json:"clean_text"`
		Chinese bool  `json:"handle_chinese_chars"`
		Accents *bool `json:"strip_accents"`
		Lower   bool  `json:"lowercase"`
	}{true, true, nil, true}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	n := &bert{clean: fields.Clean, chinese: fields.Chinese, accents: fields.Lower, lower: fields.Lower}
	if fields.Accents != nil {
		n.accents = *fields.Accents
	}
	if n.accents {
		n.rest = append(n.rest, newUnicodeForm("NFD"), without{nonspacing})
	}
	if n.lower {
		n.rest = append(n.rest, lowercase{})
	}
	return n, nil
}

func (n *bert) normalize(w *worker, p piece) piece {
	if n.clean || n.chinese {
		p = n.tidy(w, p)
	}
	for _, step := range n.rest {
		p = step.normalize(w, p)
	}
	return p
}

// What becomes of a character.
const (
	kept = iota
	dropped
	spaced1 // becomes a space
	spaced3 // gets a space on either side
)

func (n *bert) fate(r rune) int {
	if n.clean {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return spaced1
		case r >= ' ' && r < 0x7F:
			return kept
		case controls.has(r):
			return dropped
		case isSpace(r):
			return spaced1
		}
	}
	if n.chinese && chineseCharacter(r) {
		return spaced3
	}
	return kept
}

// tidy does the first two parts; every byte keeps its origin, and the spaces
// around a character have that of the character.
func (n *bert) tidy(w *worker, p piece) piece {
	b := (*buffer)(nil)
	done := 0
	for i, size := 0, 0; i < len(p.text); i += size {
		var r rune
		r, size = rune(p.text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(p.text[i:])
		}
		fate := n.fate(r)
		if fate == kept || fate == spaced1 && r == ' ' {
			continue
		}
		if b == nil {
			b = w.normal.next(w.track, len(p.text))
		}
		b.copy(p, done, i)
		done = i + size
		o := p.originIf(b.track, i)
		switch fate {
		case spaced1:
			b.write(" ", o)
		case spaced3:
			b.write(" ", o)
			b.write(p.text[i:done], o)
			b.write(" ", o)
		}
	}
	if b == nil {
		return p
	}
	b.copy(p, done, len(p.text))
	return b.piece(p.base)
}

// chineseCharacter says whether BERT takes r for one: the blocks of CJK Unified
// Ideographs as BERT's authors listed them.
func chineseCharacter(r rune) bool {
	switch {
	case r < 0x3400:
		return false
	case r <= 0x4DBF, r >= 0x4E00 && r <= 0x9FFF, r >= 0xF900 && r <= 0xFAFF:
		return true
	}
	return r >= 0x20000 && r <= 0x2A6DF || r >= 0x2A700 && r <= 0x2B81F || r >= 0x2B920 && r <= 0x2CEAF || r >= 0x2F800 && r <= 0x2FA1F
}

// nmt is the cleaning of SentencePiece's rule nmt: control characters go, and
// many kinds of white space become the space.
type nmt struct{}

func (nmt) normalize(w *worker, p piece) piece {
	b := w.normal.next(w.track, len(p.text))
	for i, size := 0, 0; i < len(p.text); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(p.text[i:])
		switch {
		case r >= 1 && r <= 8, r == 0xB, r >= 0xE && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200B && r <= 0x200F,
			r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == utf8.RuneError:
			b.write(" ", p.originIf(b.track, i))
		default:
			b.copy(p, i, i+size)
		}
	}
	return b.piece(p.base)
}

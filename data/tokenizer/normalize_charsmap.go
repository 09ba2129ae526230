package tokenizer

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// charsmap is SentencePiece's compiled normalisation: a double array (Aoe, 1989,
// in the form of the library darts-clone) from texts to places in a list of
// replacements that end in a zero byte.
//
// As in the Rust library grapheme clusters of less than six bytes are looked up
// as a whole, others character by character, and what counts is the shortest key
// that the text starts with.
type charsmap struct {
	units    []uint32
	values   []byte
	longest  int       // bytes of the longest replacement
	changing [128]bool // ASCII characters that are replaced
}

// maxCharsmap bounds the bytes of a charsmap; real ones have 250 kB.
const maxCharsmap = 1 << 24

// wholeCluster is the length from which a grapheme cluster is not looked up as a
// whole.
const wholeCluster = 6

func parseCharsmap(raw json.RawMessage) (normalizer, error) {
	var fields struct {
		Map []byte `json:"precompiled_charsmap"`
	}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	return newCharsmap(fields.Map)
}

// newCharsmap reads the binary form: the bytes of the array, the array, and the
// replacements.
func newCharsmap(raw []byte) (*charsmap, error) {
	if len(raw) < 8 || len(raw) > maxCharsmap {
		return nil, fmt.Errorf("precompiled_charsmap: got %d bytes, want 8 … %d", len(raw), maxCharsmap)
	}
	size := binary.LittleEndian.Uint32(raw)
	raw = raw[4:]
	if size < 4 || int64(size) > int64(len(raw)) {
		return nil, fmt.Errorf("precompiled_charsmap: got an array of %d bytes, want 4 … %d", size, len(raw))
	}
	n := &charsmap{units: make([]uint32, size/4), values: raw[size/4*4:]}
	for i := range n.units {
		n.units[i] = binary.LittleEndian.Uint32(raw[4*i:])
	}
	if !utf8.Valid(n.values) {
		return nil, fmt.Errorf("precompiled_charsmap: the replacements are not valid UTF-8")
	}
	for _, value := range bytes.Split(n.values, []byte{0}) {
		n.longest = max(n.longest, len(value))
	}
	for c := range n.changing {
		_, n.changing[c] = n.lookup(string(rune(c)))
	}
	return n, nil
}

// lookup is the replacement of the shortest key that s starts with.
func (n *charsmap) lookup(s string) (value string, ok bool) {
	at := offsetOf(n.units[0])
	for i := 0; i < len(s) && s[i] != 0; i++ {
		at ^= uint64(s[i])
		if at >= uint64(len(n.units)) {
			return "", false
		}
		unit := n.units[at]
		if unit&(1<<31|0xFF) != uint32(s[i]) {
			return "", false
		}
		at ^= offsetOf(unit)
		if unit>>8&1 != 0 {
			return n.value(at)
		}
	}
	return "", false
}

// offsetOf is the distance to the children of a unit.
func offsetOf(unit uint32) uint64 { return uint64(unit>>10) << (unit & (1 << 9) >> 6) }

// value is the replacement that the unit at a place names.
func (n *charsmap) value(at uint64) (string, bool) {
	if at >= uint64(len(n.units)) {
		return "", false
	}
	start := int(n.units[at] & (1<<31 - 1))
	if start > len(n.values) || start < len(n.values) && !utf8.RuneStart(n.values[start]) {
		return "", false
	}
	value := n.values[start:]
	if end := bytes.IndexByte(value, 0); end >= 0 {
		value = value[:end]
	}
	return str(value), true
}

func (n *charsmap) normalize(w *worker, p piece) piece {
	if !n.mayChange(p.text) {
		return p
	}
	w.dest = w.dest[:0]
	changed := false
	for i := 0; i < len(p.text); {
		end := graphemeEnd(p.text, i)
		if end-i < wholeCluster && n.replace(w, p.text[i:end]) {
			changed = true
			i = end
			continue
		}
		for i < end {
			r, size := utf8.DecodeRuneInString(p.text[i:])
			if n.replace(w, p.text[i:i+size]) {
				changed = true
			} else {
				w.dest = append(w.dest, change{r, 0})
			}
			i += size
		}
	}
	if !changed {
		return p
	}
	b := w.normal.next(w.track, len(p.text))
	b.transform(p, w.dest, 0)
	return b.piece(p.base)
}

// mayChange says whether a text has a character that is not in ASCII or is
// replaced.
func (n *charsmap) mayChange(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf || n.changing[s[i]] {
			return true
		}
	}
	return false
}

// replace adds the changes that put the replacement for part, if it has one: those
// of its characters that are too many are inserted, and the last removes what is
// left. As in the Rust library that is the character before, whatever its kind,
// where the replacement is empty.
func (n *charsmap) replace(w *worker, part string) bool {
	value, ok := n.lookup(part)
	if !ok {
		return false
	}
	left := utf8.RuneCountInString(part)
	for _, r := range value {
		kind := 1
		if left > 0 {
			kind = 0
			left--
		}
		w.dest = append(w.dest, change{r, kind})
	}
	if left > 0 && len(w.dest) > 0 {
		w.dest[len(w.dest)-1].kind -= left
	}
	return true
}

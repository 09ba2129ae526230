package tokenizer

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"unsafe"
)

// maxID bounds ids, and so the tables indexed by them; the largest published
// vocabularies have 262 144 tokens.
const maxID = 1<<21 - 1

// vocab maps the texts of tokens to ids and back. The texts lie in the document
// they were read from, where possible, so a vocabulary costs 8 bytes an id and
// up to 16 a token.
type vocab struct {
	raw    []byte  // the document
	extra  []byte  // texts that are not in it; offsets count on from its end
	places []place // by id
	seed   maphash.Seed
	slots  []int32 // open addressing: id+1, or 0
	count  int     // distinct texts
}

// place is where a text lies; off 0 is no text, as no document starts with one.
type place struct{ off, n uint32 }

func newVocab(raw []byte) *vocab {
	return &vocab{raw: raw, seed: maphash.MakeSeed(), slots: make([]int32, 1<<10)}
}

// text is the text of an id that has one.
func (v *vocab) text(id int32) []byte {
	p := v.places[id]
	if int(p.off) < len(v.raw) {
		return v.raw[p.off : p.off+p.n]
	}
	p.off -= uint32(len(v.raw))
	return v.extra[p.off : p.off+p.n]
}

// has says whether an id has a text.
func (v *vocab) has(id int32) bool {
	return id >= 0 && int(id) < len(v.places) && v.places[id].off != 0
}

// add enters a text. inPlace says that text is a part of raw. A text that comes
// twice has the id that came last.
func (v *vocab) add(text []byte, inPlace bool, id int) error {
	if id > maxID {
		return fmt.Errorf("token %.40q: id %d, want at most %d", text, id, maxID)
	}
	if v.has(int32(id)) {
		return fmt.Errorf("id %d: got %.40q and %.40q, want one token", id, v.text(int32(id)), text)
	}
	p := place{n: uint32(len(text))}
	switch {
	case inPlace && len(text) > 0:
		p.off = uint32(uintptr(unsafe.Pointer(&text[0])) - uintptr(unsafe.Pointer(&v.raw[0])))
	default:
		if p.off = uint32(len(v.raw) + len(v.extra)); p.off == 0 {
			v.extra = append(v.extra, 0) // 0 means no text
			p.off = 1
		}
		v.extra = append(v.extra, text...)
	}
	if id >= len(v.places) {
		v.places = append(v.places, make([]place, id+1-len(v.places))...)
	}
	v.places[id] = p
	if 2*(v.count+1) > len(v.slots) {
		v.grow()
	}
	slot := v.find(text)
	if *slot == 0 {
		v.count++
	}
	*slot = int32(id) + 1
	return nil
}

func (v *vocab) grow() {
	old := v.slots
	v.slots = make([]int32, 2*len(old))
	for _, s := range old {
		if s != 0 {
			*v.find(v.text(s - 1)) = s
		}
	}
}

// find is the slot that holds text, or the empty one where it belongs.
func (v *vocab) find(text []byte) *int32 {
	mask := uint64(len(v.slots) - 1)
	for h := maphash.Bytes(v.seed, text); ; h++ {
		s := &v.slots[h&mask]
		if *s == 0 || bytes.Equal(v.text(*s-1), text) {
			return s
		}
	}
}

// id is the id of a text, -1 for none.
func (v *vocab) id(text []byte) int32 { return *v.find(text) - 1 }

// str is a string that shares its bytes with b, which must not change as long as
// the string is in use.
func str(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// view is the bytes of a string, which must not be written.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

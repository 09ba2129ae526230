package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// addedToken is a token that is cut out of the text before the model sees it.
type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only between characters that are no word characters
	LStrip     bool   `json:"lstrip"`      // takes the white space on its left with it
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"` // is looked for in normalised text
	Special    bool   `json:"special"`
}

// maxAdded bounds the number of added tokens; files with 8 000 exist.
const maxAdded = 1 << 18

// added holds the added tokens of a tokenizer.
type added struct {
	list    []addedToken
	byID    map[int32]*addedToken
	ids     map[string]int32
	special map[string]bool
	raw     *matcher // tokens looked for in the text as it is; nil for none
	normal  *matcher // tokens looked for in normalised text
}

func parseAdded(raw json.RawMessage) ([]addedToken, error) {
	var list []addedToken
	if len(raw) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	if len(list) > maxAdded {
		return nil, fmt.Errorf("got %d, want at most %d", len(list), maxAdded)
	}
	return list, nil
}

// newAdded gives each token its id as the Rust library does: that of the
// vocabulary if it has the text, else the next after the number of tokens. The
// id in the file does not count; files in use have the same.
func newAdded(list []addedToken, v *vocab, form normalizer) (*added, error) {
	a := &added{byID: map[int32]*addedToken{}, ids: map[string]int32{}, special: map[string]bool{}}
	for _, t := range list {
		if t.Content != "" && t.Special {
			a.special[t.Content] = true
		}
	}
	next := v.count
	for _, t := range list {
		if t.Content == "" || a.has(t) {
			continue
		}
		id, ok := a.ids[t.Content]
		if !ok {
			if id = v.id(view(t.Content)); id < 0 {
				id = int32(next)
				next++
			}
		}
		if id > maxID {
			return nil, fmt.Errorf("%.60q: %w: got id %d, want at most %d", t.Content, ErrLimit, id, maxID)
		}
		t.ID = int(id)
		a.ids[t.Content] = id
		a.list = append(a.list, t)
		a.byID[id] = &a.list[len(a.list)-1]
	}
	for i := range a.list { // the list has moved while it grew
		a.byID[int32(a.list[i].ID)] = &a.list[i]
	}
	a.build(form)
	return a, nil
}

// has says whether the very same token is in the list.
func (a *added) has(t addedToken) bool {
	id, ok := a.ids[t.Content]
	if !ok {
		return false
	}
	old := *a.byID[id]
	t.ID = old.ID
	return old == t
}

// build fills the matchers, special tokens first: of two that read the same
// after normalisation the first wins.
func (a *added) build(form normalizer) {
	var raw, normal matcher
	for _, special := range []bool{true, false} {
		for i := range a.list {
			t := &a.list[i]
			if a.special[t.Content] != special {
				continue
			}
			if !t.Normalized {
				raw.add(view(t.Content), t)
				continue
			}
			content := t.Content
			if form != nil {
				content = form.normalize(&worker{}, piece{text: content}).text
			}
			normal.add([]byte(content), t)
		}
	}
	if raw.nodes != nil {
		a.raw = &raw
	}
	if normal.nodes != nil {
		a.normal = &normal
	}
}

// matcher finds the added tokens in a text: the leftmost, and there the longest.
type matcher struct {
	// pairs has a bit for each two bytes that a token starts with, so that a text
	// without tokens costs one look-up a byte.
	pairs [1 << 16 / 64]uint64
	nodes []node
	edges map[uint32]int32 // node<<8 | byte -> node
}

type node struct{ token *addedToken }

func (m *matcher) add(content []byte, t *addedToken) {
	if len(content) == 0 {
		return
	}
	if m.nodes == nil {
		m.nodes, m.edges = make([]node, 1), map[uint32]int32{}
	}
	if len(content) > 1 {
		m.mark(content[0], content[1])
	}
	for b := 0; len(content) == 1 && b < 256; b++ {
		m.mark(content[0], byte(b))
	}
	at := int32(0)
	for _, b := range content {
		key := uint32(at)<<8 | uint32(b)
		next, ok := m.edges[key]
		if !ok {
			next = int32(len(m.nodes))
			m.nodes = append(m.nodes, node{})
			m.edges[key] = next
		}
		at = next
	}
	if m.nodes[at].token == nil {
		m.nodes[at].token = t
	}
}

func (m *matcher) mark(a, b byte) { m.pairs[int(a)<<2|int(b)>>6] |= 1 << (b & 63) }

// find is the first token at or after start, and its range; nil for none.
func (m *matcher) find(text string, start int) (*addedToken, span) {
	for i := start; i < len(text); i++ {
		if i+1 < len(text) {
			a, b := text[i], text[i+1]
			if m.pairs[int(a)<<2|int(b)>>6]>>(b&63)&1 == 0 {
				continue
			}
		}
		if t, end := m.longest(text, i); t != nil {
			return t, span{i, end}
		}
	}
	return nil, span{}
}

// longest is the longest token that starts at text[i].
func (m *matcher) longest(text string, i int) (t *addedToken, end int) {
	at := int32(0)
	for ; i < len(text); i++ {
		next, ok := m.edges[uint32(at)<<8|uint32(text[i])]
		if !ok {
			break
		}
		at = next
		if m.nodes[at].token != nil {
			t, end = m.nodes[at].token, i+1
		}
	}
	return t, end
}

// cut calls fn for the parts of text in order: tokens with the range they take,
// and with a nil token what lies between. Ranges follow the Rust library to the
// letter: a token that takes white space on its right may overlap a following
// token that is white space.
func (m *matcher) cut(text string, fn func(t *addedToken, s span)) {
	done := 0
	for from := 0; ; {
		t, s := m.find(text, from)
		if t == nil {
			break
		}
		from = s.end
		if t.SingleWord && (wordBefore(text, s.start) || wordAfter(text, s.end)) {
			continue
		}
		if t.LStrip {
			s.start = max(spaceBefore(text, s.start), done)
		}
		if t.RStrip {
			s.end = run(text, s.end, spaces)
		}
		if done < s.start {
			fn(nil, span{done, s.start})
		}
		fn(t, s)
		done = s.end
	}
	if done < len(text) {
		fn(nil, span{done, len(text)})
	}
}

func wordBefore(s string, i int) bool {
	r, n := utf8.DecodeLastRuneInString(s[:i])
	return n > 0 && classOf(r)&flagWord != 0
}

func wordAfter(s string, i int) bool {
	r, n := utf8.DecodeRuneInString(s[i:])
	return n > 0 && classOf(r)&flagWord != 0
}

// spaceBefore is the start of the white space that ends at s[end].
func spaceBefore(s string, end int) int {
	for end > 0 {
		start := lastRune(s, end)
		if c, _ := at(s, start); !spaces.has(c) {
			break
		}
		end = start
	}
	return end
}

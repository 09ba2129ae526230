package tokenizer

// Tokenizer turns text into token ids and back. It is safe for concurrent use.
type Tokenizer struct {
	normalizer normalizer // nil for none
	steps      []preTokenizer
	scan       scanner // stands for all of steps, or nil
	model      model
	vocab      *vocab
	added      *added
	post       post
	decoders   []decoder
	truncation *Truncation
	padding    *Padding
	trackAll   bool // a step asks for origins even if the caller does not

	source   []byte    // the document, as read; nil for a GGUF vocabulary
	parts    *document // then the document that it makes
	names    special
	template string

	workers pool
	faults  faults
}

// Encode returns the ids of text, with the special tokens that the tokenizer
// puts around a text.
func (t *Tokenizer) Encode(text string) []int32 { return t.AppendIDs(nil, text, true) }

// AppendIDs appends the ids of text to dst. With addSpecial it adds the special
// tokens that the tokenizer puts around a text. Special tokens spelled out in
// the text are recognised either way. Once dst has room and the words have been
// seen before, it allocates nothing.
func (t *Tokenizer) AppendIDs(dst []int32, text string, addSpecial bool) []int32 {
	w := t.workers.take()
	w.track = t.trackAll
	w.out = output{ids: dst}
	t.encode(w, text, addSpecial)
	dst = w.out.ids
	t.workers.give(w)
	return dst
}

// AppendOffsets is AppendIDs that also appends, for each id, the range of bytes
// of text it stands for. Added special tokens have the range [0, 0).
func (t *Tokenizer) AppendOffsets(ids []int32, offsets [][2]int, text string, addSpecial bool) ([]int32, [][2]int) {
	w := t.workers.take()
	w.track = true
	w.out = output{ids: ids, offsets: offsets, want: true}
	t.encode(w, text, addSpecial)
	ids, offsets = w.out.ids, w.out.offsets
	t.workers.give(w)
	return ids, offsets
}

// Size is the number of ids: one more than the largest.
func (t *Tokenizer) Size() int {
	n := len(t.vocab.places)
	for _, a := range t.added.list {
		n = max(n, a.ID+1)
	}
	return n
}

// ID returns the id of a token, which is written as in tokenizer.json: byte-level
// tokens with Ġ for the space.
func (t *Tokenizer) ID(token string) (id int32, ok bool) {
	if id, ok := t.added.ids[token]; ok {
		return id, true
	}
	id = t.vocab.id(view(token))
	return max(id, 0), id >= 0
}

// Token returns the token of an id, written as in tokenizer.json.
func (t *Tokenizer) Token(id int32) (token string, ok bool) {
	text, _, ok := t.token(id)
	return string(text), ok
}

// Special says whether an id is a special token, one that Decode leaves out when
// asked to.
func (t *Tokenizer) Special(id int32) bool {
	_, special, _ := t.token(id)
	return special
}

// token is the text of an id, which may be empty, and whether it is special; ok is
// false where there is none.
func (t *Tokenizer) token(id int32) (text []byte, special, ok bool) {
	if a, ok := t.added.byID[id]; ok {
		return view(a.Content), t.added.special[a.Content], true
	}
	if !t.vocab.has(id) {
		return nil, false, false
	}
	text = t.vocab.text(id)
	return text, len(t.added.special) > 0 && t.added.special[str(text)], true
}

// Err reports the first pattern from the file that passed its limits of time or
// backtracking. From then on that pattern is left out, and ids may differ from
// those of the Rust library.
func (t *Tokenizer) Err() error {
	if err := t.faults.first.Load(); err != nil {
		return *err
	}
	return nil
}

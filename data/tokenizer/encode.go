package tokenizer

// encode appends the tokens of text to w.out.
func (t *Tokenizer) encode(w *worker, text string, addSpecial bool) {
	if w.out.special = addSpecial; addSpecial {
		w.out.addSpecial(t.post.before)
	}
	w.out.first = len(w.out.ids)
	p := piece{text: text}
	if t.added.raw == nil {
		t.encodeRaw(w, text, p)
	} else {
		t.added.raw.cut(text, func(a *addedToken, s span) {
			if a != nil {
				t.emitAdded(w, text, p, s, a)
			} else {
				t.encodeRaw(w, text, p.sub(s))
			}
		})
	}
	if addSpecial {
		w.out.addSpecial(t.post.after)
	}
}

func (o *output) addSpecial(ids []int32) {
	o.ids = append(o.ids, ids...)
	for range ids {
		if o.want {
			o.offsets = append(o.offsets, [2]int{})
		}
	}
}

// encodeRaw encodes a part of the text that holds no added token as it is.
func (t *Tokenizer) encodeRaw(w *worker, original string, p piece) {
	if t.normalizer != nil {
		p = t.normalizer.normalize(w, p)
	}
	if t.added.normal == nil {
		t.encodePiece(w, original, p)
		return
	}
	t.added.normal.cut(p.text, func(a *addedToken, s span) {
		if a != nil {
			t.emitAdded(w, original, p, s, a)
		} else {
			t.encodePiece(w, original, p.sub(s))
		}
	})
}

// encodePiece encodes normalised text without added tokens.
func (t *Tokenizer) encodePiece(w *worker, original string, p piece) {
	if p.text == "" {
		return
	}
	if t.scan != nil {
		t.encodeScanned(w, original, p)
		return
	}
	cuts := append(w.cuts[0][:0], span{0, len(p.text)})
	spare := w.cuts[1]
	for _, s := range t.steps {
		var out []span
		p, out = s.split(w, p, cuts, spare[:0])
		cuts, spare = out, cuts
	}
	w.cuts = [2][]span{cuts, spare}
	for _, c := range cuts {
		t.encodeWord(w, original, p, c)
	}
}

// encodeScanned is the fast way of encodePiece.
func (t *Tokenizer) encodeScanned(w *worker, original string, p piece) {
	if w.out.want {
		for i := 0; i < len(p.text); {
			end := t.scan(p.text, i)
			t.encodeWord(w, original, p, span{i, end})
			i = end
		}
		return
	}
	ids, s := w.out.ids, p.text
	for i := 0; i < len(s); {
		end := t.scan(s, i)
		ids = t.model.appendWord(w, ids, s[i:end])
		i = end
	}
	w.out.ids = ids
}

// encodeWord encodes the word c of p.
func (t *Tokenizer) encodeWord(w *worker, original string, p piece, c span) {
	if c.start == c.end {
		return
	}
	if !w.out.want {
		w.out.ids = t.model.appendWord(w, w.out.ids, p.text[c.start:c.end])
		return
	}
	for c.start < c.end {
		start, end := c.start, c.start+t.model.independent(p.text[c.start:c.end])
		t.model.parts(w, p.text[start:end])
		var r span
		for i, id := range w.ids {
			if w.lens[i] > 0 {
				next := min(start+int(w.lens[i]), end)
				r = p.spanOf(start, next)
				start = next
			}
			t.emit(w, original, id, r, str(t.vocab.text(id)))
		}
		c.start = end
	}
}

// spanOf is the range of the original text that bytes [start, end) come from.
func (p piece) spanOf(start, end int) span {
	if start >= end {
		return span{p.base + start, p.base + start}
	}
	return span{p.origin(start).start, p.origin(end - 1).end}
}

func (t *Tokenizer) emitAdded(w *worker, original string, p piece, s span, a *addedToken) {
	if s.start == s.end {
		return
	}
	r := span{}
	if w.out.want {
		r = p.spanOf(s.start, s.end)
	}
	t.emit(w, original, int32(a.ID), r, p.text[s.start:s.end])
}

// emit adds a token; text is how it reads.
func (t *Tokenizer) emit(w *worker, original string, id int32, r span, text string) {
	o := &w.out
	if o.want {
		for _, trim := range t.post.trims {
			r = trim.apply(r, text, original, len(o.ids) == o.first, o.special)
		}
		o.offsets = append(o.offsets, [2]int{r.start, r.end})
	}
	o.ids = append(o.ids, id)
}

// chooseScanner finds the scanner that stands for all steps, so that the usual
// tokenizers need no list of words, and the flags that steps depend on.
func (t *Tokenizer) chooseScanner() {
	for _, s := range t.steps {
		if m, ok := s.(*metaspaces); ok && m.scheme == first && t.normalizer != nil {
			t.trackAll = true // whether a word starts the text is asked of its origin
		}
	}
	m, ok := t.model.(*bpe)
	if !ok || !m.mapped {
		return
	}
	last := t.steps[len(t.steps)-1].(*byteLevel)
	last.plain = true
	if last.addSpace {
		return
	}
	before := t.steps[:len(t.steps)-1]
	switch {
	case last.useRegex && len(before) == 0:
		t.scan = scanGPT2
	case last.useRegex && len(before) == 1 && singleDigits(before[0]):
		t.scan = scanDigitsGPT2
	case !last.useRegex:
		t.scan = scannerOf(before)
	}
}

// singleDigits says whether a step is Digits with individual digits.
func singleDigits(step preTokenizer) bool {
	s, ok := step.(splitter)
	if !ok || s.behavior != isolated || s.inverted {
		return false
	}
	p, ok := s.pattern.(flagged)
	return ok && p == flagged{flags: flagNumeric}
}

// scannerOf is the scanner of a list of splits, or nil.
func scannerOf(steps []preTokenizer) scanner {
	if len(steps) == 1 {
		if s, ok := steps[0].(splitter); ok && s.behavior == isolated && !s.inverted {
			if scan, ok := s.pattern.(scanner); ok {
				return scan
			}
		}
		return nil
	}
	want := [...]string{patternDeepSeekNumbers, patternDeepSeekCJK, patternDeepSeekWords}
	if len(steps) != len(want) {
		return nil
	}
	for i, step := range steps {
		s, ok := step.(splitter)
		if !ok || s.behavior != isolated || s.inverted {
			return nil
		}
		if p, ok := s.pattern.(*regex); !ok || p.expr != want[i] {
			return nil
		}
	}
	return scanDeepSeek
}

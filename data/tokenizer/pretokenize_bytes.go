package tokenizer

import "encoding/json"

// byteLevel is GPT-2's pre-tokenizer: a space before each text, the split by
// GPT-2's pattern, and stand-ins for the bytes.
type byteLevel struct {
	addSpace bool
	useRegex bool
	// plain leaves the bytes as they are, for a model that takes them so. Set
	// only for the last step.
	plain bool
}

func parseByteLevel(raw json.RawMessage) (preTokenizer, error) {
	fields := struct {
		AddPrefixSpace bool `json:"add_prefix_space"`
		UseRegex       bool `json:"use_regex"`
	}{false, true}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	return &byteLevel{addSpace: fields.AddPrefixSpace, useRegex: fields.UseRegex}, nil
}

func (s *byteLevel) split(w *worker, p piece, in, out []span) (piece, []span) {
	if s.addSpace {
		p = s.prefix(w, p, in)
	}
	for _, c := range in {
		if !s.useRegex {
			out = append(out, c)
			continue
		}
		text := p.text[c.start:c.end]
		for i := 0; i < len(text); {
			end := scanGPT2(text, i)
			out = append(out, span{c.start + i, c.start + end})
			i = end
		}
	}
	if s.plain {
		return p, out
	}
	b := w.pre.next(w.track, len(p.text))
	for i, c := range out {
		out[i].start = len(b.text)
		b.mapBytes(p, c.start, c.end)
		out[i].end = len(b.text)
	}
	return b.piece(p.base), out
}

// prefix puts a space before each word that has none; it moves the words in
// place.
func (s *byteLevel) prefix(w *worker, p piece, in []span) piece {
	missing := false
	for _, c := range in {
		missing = missing || c.start < c.end && p.text[c.start] != ' '
	}
	if !missing {
		return p
	}
	b := w.pre.next(w.track, len(p.text))
	for i, c := range in {
		start := len(b.text)
		if c.start < c.end && p.text[c.start] != ' ' {
			b.prepend(" ", p.sub(c))
		} else {
			b.copy(p, c.start, c.end)
		}
		in[i] = span{start, len(b.text)}
	}
	return b.piece(p.base)
}

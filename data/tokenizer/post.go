package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// post is what the post-processor does with a single text.
//
// In the Rust library a template makes several encodings, which a processor that
// follows in a sequence sees one by one. So the special tokens are kept in
// sections until all processors are known.
type post struct {
	before, after []int32 // special tokens, when they are asked for
	trims         []trim  // in order
	sections      []section
}

// section is an encoding: special tokens, and the text among them or not.
type section struct {
	before, after []int32
	text          bool
}

// trim takes the white space at the ends of tokens out of their offsets.
type trim struct {
	addedSpace bool // one space at the start of the text was put there
	notFirst   bool // a special token stands before the text already
}

// parsePost reads the field post_processor.
func (p *post) parsePost(raw json.RawMessage) error {
	p.sections = []section{{text: true}}
	if err := p.parse(raw); err != nil {
		return err
	}
	to := &p.before
	for _, s := range p.sections {
		*to = append(*to, s.before...)
		if s.text {
			to = &p.after
		}
		*to = append(*to, s.after...)
	}
	p.sections = nil
	return nil
}

// parse adds what a processor does to p.
func (p *post) parse(raw json.RawMessage) error {
	kind, err := kindOfStep(raw)
	if err != nil || kind == "" {
		return err
	}
	switch kind {
	case "Sequence":
		return p.parseSequence(raw)
	case "ByteLevel":
		fields := struct {
			AddPrefixSpace bool `json:"add_prefix_space"`
			TrimOffsets    bool `json:"trim_offsets"`
		}{}
		if err := decode(raw, &fields); err != nil {
			return err
		}
		if fields.TrimOffsets {
			p.addTrim(fields.AddPrefixSpace)
		}
		return nil
	case "TemplateProcessing":
		return p.parseTemplate(raw)
	case "RobertaProcessing", "BertProcessing":
		return p.parseRoberta(raw, kind)
	}
	return unsupported(kind)
}

func (p *post) addTrim(addedSpace bool) {
	t := trim{addedSpace: addedSpace}
	for _, s := range p.sections {
		t.notFirst = t.notFirst || s.text && len(s.before) > 0
	}
	p.trims = append(p.trims, t)
}

func (p *post) parseSequence(raw json.RawMessage) error {
	var list struct {
		Processors []json.RawMessage `json:"processors"`
	}
	if err := decode(raw, &list); err != nil {
		return err
	}
	if len(list.Processors) > maxSteps {
		return fmt.Errorf("processors: got %d, want at most %d", len(list.Processors), maxSteps)
	}
	for i, step := range list.Processors {
		if err := p.parse(step); err != nil {
			return fmt.Errorf("processors[%d]: %w", i, err)
		}
	}
	return nil
}

// parseRoberta reads <s> and </s> around the text.
func (p *post) parseRoberta(raw json.RawMessage, kind string) error {
	fields := struct {
		Sep            []json.RawMessage `json:"sep"`
		Cls            []json.RawMessage `json:"cls"`
		TrimOffsets    bool              `json:"trim_offsets"`
		AddPrefixSpace bool              `json:"add_prefix_space"`
	}{}
	if err := decode(raw, &fields); err != nil {
		return err
	}
	if kind == "RobertaProcessing" && fields.TrimOffsets {
		p.addTrim(fields.AddPrefixSpace)
	}
	if kind == "BertProcessing" && len(p.sections) > 1 {
		return fmt.Errorf("%w: BertProcessing behind a template", ErrUnsupported)
	}
	var ids [2]int32
	for i, pair := range [2][]json.RawMessage{fields.Cls, fields.Sep} {
		if len(pair) != 2 {
			return fmt.Errorf("cls and sep: want a token and an id in each")
		}
		if err := json.Unmarshal(pair[1], &ids[i]); err != nil {
			return err
		}
	}
	for i := range p.sections {
		s := &p.sections[i]
		opening := ids[min(i, 1)] // further encodings open with the separator too
		s.before = append([]int32{opening}, s.before...)
		s.after = append(s.after, ids[1])
	}
	return nil
}

// parseTemplate reads the template for a single text.
func (p *post) parseTemplate(raw json.RawMessage) error {
	type named struct {
		ID string `json:"id"`
	}
	var fields struct {
		Single []struct{ SpecialToken, Sequence *named }
		Tokens map[string]struct {
			IDs []int32 `json:"ids"`
		} `json:"special_tokens"`
	}
	if err := decode(raw, &fields); err != nil {
		return err
	}
	if len(p.sections) != 1 {
		return fmt.Errorf("%w: a template behind a template", ErrUnsupported)
	}
	var all []section
	texts := 0
	for i, item := range fields.Single {
		switch {
		case item.Sequence != nil && item.Sequence.ID == "A":
			texts++
			all = append(all, p.sections[0])
		case item.SpecialToken != nil:
			t, ok := fields.Tokens[item.SpecialToken.ID]
			if !ok {
				return fmt.Errorf("single[%d]: %.60q is not among special_tokens", i, item.SpecialToken.ID)
			}
			all = append(all, section{before: t.IDs})
		default:
			return fmt.Errorf("single[%d]: want a SpecialToken or Sequence A", i)
		}
	}
	if texts != 1 {
		return fmt.Errorf("single: got %d times Sequence A, want one", texts)
	}
	p.sections = all
	return nil
}

// check refuses special tokens without an id in the vocabulary.
func (p *post) check(t *Tokenizer) error {
	for _, ids := range [][]int32{p.before, p.after} {
		for _, id := range ids {
			if _, ok := t.Token(id); !ok {
				return fmt.Errorf("special token id %d: want an id of the vocabulary", id)
			}
		}
	}
	return nil
}

// apply moves the ends of the range of a token whose text is token inwards.
// isFirst says that it is the first token of the text, special says that special
// tokens are added.
func (t trim) apply(r span, token, original string, isFirst, special bool) span {
	lead, trail := 0, 0
	for _, c := range token {
		if !visibleSpace(c) {
			break
		}
		lead++
	}
	for end := len(token); end > 0; trail++ {
		c, n := utf8.DecodeLastRuneInString(token[:end])
		if !visibleSpace(c) {
			break
		}
		end -= n
	}
	isFirst = isFirst && !(t.notFirst && special)
	if (isFirst || r.start == 0) && t.addedSpace && lead == 1 {
		lead = 0 // that space was not in the text
	}
	for ; lead > 0 && r.start < r.end; lead-- {
		_, n := utf8.DecodeRuneInString(original[r.start:])
		r.start += n
	}
	if trail > 0 && enoughBefore(original, r.end, trail) {
		for ; trail > 0 && r.end > r.start; trail-- {
			r.end = lastRune(original, r.end)
		}
	}
	return r
}

// enoughBefore says whether n characters stand before s[end]; where they do not,
// the Rust library leaves the end alone.
func enoughBefore(s string, end, n int) bool {
	for ; n > 0 && end > 0; n-- {
		end = lastRune(s, end)
	}
	return n == 0
}

// visibleSpace says whether c is white space or stands for the space.
func visibleSpace(c rune) bool { return c == 'Ġ' || isSpace(c) }

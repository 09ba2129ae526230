package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// post is what the post-processor does with a single text.
type post struct {
	before, after []int32 // special tokens, when they are asked for
	trims         []trim  // in order
}

// trim takes the white space at the ends of tokens out of their offsets.
type trim struct{ addedSpace bool }

// parsePost appends what a post-processor does to dst. Processors of a sequence
// work from the inside out.
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
			p.trims = append(p.trims, trim{fields.AddPrefixSpace})
		}
		return nil
	case "TemplateProcessing":
		return p.parseTemplate(raw)
	case "RobertaProcessing", "BertProcessing":
		return p.parseRoberta(raw, kind)
	}
	return unsupported(kind)
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
		p.trims = append(p.trims, trim{fields.AddPrefixSpace})
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
	p.wrap(ids[:1], ids[1:])
	return nil
}

// wrap puts further tokens around the text and what stands around it already.
func (p *post) wrap(before, after []int32) {
	p.before = append(append([]int32{}, before...), p.before...)
	p.after = append(p.after, after...)
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
	var sides [2][]int32
	texts := 0
	for i, item := range fields.Single {
		switch {
		case item.Sequence != nil && item.Sequence.ID == "A":
			texts++
		case item.SpecialToken != nil:
			t, ok := fields.Tokens[item.SpecialToken.ID]
			if !ok {
				return fmt.Errorf("single[%d]: %.60q is not among special_tokens", i, item.SpecialToken.ID)
			}
			sides[min(texts, 1)] = append(sides[min(texts, 1)], t.IDs...)
		default:
			return fmt.Errorf("single[%d]: want a SpecialToken or Sequence A", i)
		}
	}
	if texts != 1 {
		return fmt.Errorf("single: got %d times Sequence A, want one", texts)
	}
	p.wrap(sides[0], sides[1])
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
// isFirst says that it is the first token of the text.
func (t trim) apply(r span, token, original string, isFirst bool) span {
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

package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// bertWords is BERT's split: at white space, which is left out, and around each
// punctuation character.
type bertWords struct{}

func (bertWords) split(_ *worker, p piece, in, out []span) (piece, []span) {
	for _, c := range in {
		start := c.start
		for i := c.start; i < c.end; {
			k, n := at(p.text[:c.end], i)
			space := spaces.has(k)
			if !space && k&flagPunct == 0 {
				i += n
				continue
			}
			if start < i {
				out = append(out, span{start, i})
			}
			if !space {
				out = append(out, span{i, i + n})
			}
			i += n
			start = i
		}
		if start < c.end {
			out = append(out, span{start, c.end})
		}
	}
	return p, out
}

// byScript splits where the script changes. Spaces belong to any script; those at
// the start of a word are left out, as in the Rust library.
type byScript struct{}

func (byScript) split(_ *worker, p piece, in, out []span) (piece, []span) {
	for _, c := range in {
		start, last := -1, uint8(0)
		for i, r := range p.text[c.start:c.end] {
			script := scripts.of(r)
			if script == 0 || script == last {
				continue
			}
			if start >= 0 {
				out = append(out, span{start, c.start + i})
			}
			start, last = c.start+i, script
		}
		if start >= 0 {
			out = append(out, span{start, c.end})
		}
	}
	return p, out
}

// fixedLength cuts words into pieces of a number of characters.
type fixedLength int

func parseFixedLength(raw json.RawMessage) (preTokenizer, error) {
	fields := struct {
		Length int `json:"length"`
	}{5}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	if fields.Length < 1 {
		return nil, fmt.Errorf("length: got %d, want at least 1", fields.Length)
	}
	return fixedLength(fields.Length), nil
}

func (s fixedLength) split(_ *worker, p piece, in, out []span) (piece, []span) {
	for _, c := range in {
		for start := c.start; start < c.end; {
			end := start
			for left := s; left > 0 && end < c.end; left-- {
				_, n := utf8.DecodeRuneInString(p.text[end:c.end])
				end += n
			}
			out = append(out, span{start, end})
			start = end
		}
	}
	return p, out
}

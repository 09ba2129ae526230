package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// splitter splits words at the matches of a pattern. inverted swaps what matches
// and what does not.
type splitter struct {
	pattern  pattern
	behavior behavior
	inverted bool
}

func (s splitter) split(w *worker, p piece, in, out []span) (piece, []span) {
	for _, c := range in {
		w.matches = s.pattern.find(w, p.text[c.start:c.end], w.matches[:0])
		if s.inverted {
			for i := range w.matches {
				w.matches[i].hit = !w.matches[i].hit
			}
		}
		out = s.behavior.apply(w.matches, c.start, out)
	}
	return p, out
}

func parseSplit(raw json.RawMessage, f *faults) (preTokenizer, error) {
	var fields struct {
		Pattern  json.RawMessage `json:"pattern"`
		Behavior string          `json:"behavior"`
		Invert   bool            `json:"invert"`
	}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	b, err := parseBehavior(fields.Behavior)
	if err != nil {
		return nil, err
	}
	p, _, err := parsePattern(fields.Pattern, f)
	if err != nil {
		return nil, err
	}
	return splitter{p, b, fields.Invert}, nil
}

// parseDigits reads Digits, which splits off numbers: characters of the Unicode
// categories Nd, Nl and No.
func parseDigits(raw json.RawMessage) (preTokenizer, error) {
	var fields struct {
		Individual bool `json:"individual_digits"`
	}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	s := splitter{flagged{flags: flagNumeric}, contiguous, false}
	if fields.Individual {
		s.behavior = isolated
	}
	return s, nil
}

func parsePunctuation(raw json.RawMessage) (preTokenizer, error) {
	fields := struct {
		Behavior string `json:"behavior"`
	}{"Isolated"}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	b, err := parseBehavior(fields.Behavior)
	return splitter{flagged{flags: flagPunct}, b, false}, err
}

func parseDelimiter(raw json.RawMessage) (preTokenizer, error) {
	var fields struct {
		Delimiter string `json:"delimiter"`
	}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(fields.Delimiter) != 1 {
		return nil, fmt.Errorf("delimiter: got %.40q, want one character", fields.Delimiter)
	}
	return splitter{literalPattern(fields.Delimiter), removed, false}, nil
}

// runsOfWords matches \w+|[^\w\s]+, the pattern of Whitespace.
type runsOfWords struct{}

func (runsOfWords) find(_ *worker, text string, dst []match) []match {
	kind := func(i int) (class, int) {
		c, n := at(text, i)
		switch {
		case c&flagWord != 0:
			return flagWord, n
		case spaces.has(c):
			return classSpace, n
		}
		return classOther, n
	}
	for i := 0; i < len(text); {
		k, n := kind(i)
		end := i + n
		for end < len(text) {
			next, n := kind(end)
			if next != k {
				break
			}
			end += n
		}
		dst = append(dst, match{i, end, k != classSpace})
		i = end
	}
	return dst
}

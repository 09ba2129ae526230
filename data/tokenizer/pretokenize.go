package tokenizer

import (
	"encoding/json"
	"fmt"
)

// preTokenizer splits words into smaller ones. in and the result are ranges of
// the text; a step that rewrites the text returns the new one.
type preTokenizer interface {
	split(w *worker, p piece, in, out []span) (piece, []span)
}

// parsePreTokenizer appends the steps of the field pre_tokenizer to dst.
func parsePreTokenizer(dst []preTokenizer, raw json.RawMessage, f *faults) ([]preTokenizer, error) {
	kind, err := kindOfStep(raw)
	if err != nil || kind == "" {
		return dst, err
	}
	var step preTokenizer
	switch kind {
	case "Sequence":
		return parsePreTokenizers(dst, raw, f)
	case "ByteLevel":
		step, err = parseByteLevel(raw)
	case "Metaspace":
		step, err = parseMetaspace(raw)
	case "Split":
		step, err = parseSplit(raw, f)
	case "Digits":
		step, err = parseDigits(raw)
	case "Punctuation":
		step, err = parsePunctuation(raw)
	case "Whitespace":
		step = splitter{runsOfWords{}, removed, true}
	case "WhitespaceSplit":
		step = splitter{flagged{set: spaces}, removed, false}
	case "BertPreTokenizer":
		step = bertWords{}
	case "UnicodeScripts":
		step = byScript{}
	case "FixedLength":
		step, err = parseFixedLength(raw)
	case "CharDelimiterSplit":
		step, err = parseDelimiter(raw)
	default:
		err = unsupported(kind)
	}
	if err != nil {
		return nil, err
	}
	return append(dst, step), nil
}

func parsePreTokenizers(dst []preTokenizer, raw json.RawMessage, f *faults) ([]preTokenizer, error) {
	var list struct {
		PreTokenizers []json.RawMessage `json:"pretokenizers"`
	}
	if err := decode(raw, &list); err != nil {
		return nil, err
	}
	for i, step := range list.PreTokenizers {
		var err error
		if dst, err = parsePreTokenizer(dst, step, f); err != nil {
			return nil, fmt.Errorf("pretokenizers[%d]: %w", i, err)
		}
		if len(dst) > maxSteps {
			return nil, fmt.Errorf("pretokenizers: want at most %d", maxSteps)
		}
	}
	return dst, nil
}

// behavior says what becomes of the matches of a split pattern.
type behavior uint8

const (
	removed behavior = iota
	isolated
	mergedWithPrevious
	mergedWithNext
	contiguous
)

func parseBehavior(name string) (behavior, error) {
	switch name {
	case "Removed":
		return removed, nil
	case "Isolated":
		return isolated, nil
	case "MergedWithPrevious":
		return mergedWithPrevious, nil
	case "MergedWithNext":
		return mergedWithNext, nil
	case "Contiguous":
		return contiguous, nil
	}
	return 0, fmt.Errorf("behavior: %w: %.40q", ErrUnsupported, name)
}

// apply appends the words that the matches of a text make; the text starts at
// base.
func (b behavior) apply(matches []match, base int, out []span) []span {
	if b == mergedWithNext {
		return applyNext(matches, base, out)
	}
	first := len(out)
	previous := false
	for _, m := range matches {
		join := false
		switch b {
		case removed:
			if m.hit {
				continue
			}
		case mergedWithPrevious:
			join = m.hit && !previous
		case contiguous:
			join = m.hit == previous
		}
		previous = m.hit
		if join && len(out) > first {
			out[len(out)-1].end = base + m.end
		} else {
			out = append(out, span{base + m.start, base + m.end})
		}
	}
	return out
}

// applyNext joins each match with what follows it.
func applyNext(matches []match, base int, out []span) []span {
	first := len(out)
	previous := false
	for i := len(matches) - 1; i >= 0; i-- {
		m := matches[i]
		if m.hit && !previous && len(out) > first {
			out[len(out)-1].start = base + m.start
		} else {
			out = append(out, span{base + m.start, base + m.end})
		}
		previous = m.hit
	}
	for i, j := first, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

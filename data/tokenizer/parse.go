package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	// ErrUnsupported is in the errors about files that are valid but need
	// something this package does not have; the error names it.
	ErrUnsupported = errors.New("not supported")
	// ErrLimit is in the errors about files or patterns that pass a limit.
	ErrLimit = errors.New("over the limit")
)

// Limits on documents.
const (
	maxDocument = 1 << 29 // bytes
	maxMerges   = 1 << 23
)

// document is a tokenizer.json taken apart.
type document struct {
	added, normalizer, preTokenizer, postProcessor, decoder json.RawMessage
	truncation, padding                                     json.RawMessage
	model                                                   model
}

// Parse reads the bytes of a tokenizer.json; name stands for them in errors.
// They are copied. Truncation and padding in the file are settings for callers
// ([Tokenizer.Truncation], [Tokenizer.Padding]); encoding applies neither.
func Parse(name string, raw []byte) (*Tokenizer, error) {
	return parse(name, append([]byte(nil), raw...))
}

// parse is Parse that keeps raw, which must not change afterwards.
func parse(name string, raw []byte) (*Tokenizer, error) {
	t, err := parseDocument(raw)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	return t, nil
}

func parseDocument(raw []byte) (*Tokenizer, error) {
	if len(raw) > maxDocument {
		return nil, fmt.Errorf("%w: got %d bytes, want at most %d", ErrLimit, len(raw), maxDocument)
	}
	if !utf8.Valid(raw) {
		return nil, errors.New("the file is not valid UTF-8")
	}
	var doc document
	r := &reader{raw: raw}
	err := r.object(func(key []byte) error {
		if err := doc.field(r, string(key)); err != nil {
			return fmt.Errorf("%.40s: %w", key, err)
		}
		return nil
	})
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, err
	}
	if doc.model == nil {
		return nil, errors.New("model: got none, want one")
	}
	t, err := doc.assemble()
	if err != nil {
		return nil, err
	}
	t.source = raw
	return t, nil
}

// field reads a field of the document.
func (d *document) field(r *reader, key string) (err error) {
	switch key {
	case "version":
		var raw json.RawMessage
		if raw, err = r.skip(); err == nil && string(raw) != `"1.0"` {
			err = fmt.Errorf("%w: got %.20s, want \"1.0\"", ErrUnsupported, raw)
		}
	case "truncation":
		d.truncation, err = r.skip()
	case "padding":
		d.padding, err = r.skip()
	case "added_tokens":
		d.added, err = r.skip()
	case "normalizer":
		d.normalizer, err = r.skip()
	case "pre_tokenizer":
		d.preTokenizer, err = r.skip()
	case "post_processor":
		d.postProcessor, err = r.skip()
	case "decoder":
		d.decoder, err = r.skip()
	case "model":
		d.model, err = readModel(r)
	default:
		_, err = r.skip()
	}
	return err
}

// assemble builds the tokenizer from the parts of a document.
func (d *document) assemble() (*Tokenizer, error) {
	t := &Tokenizer{model: d.model, vocab: d.model.tokens()}
	wrap := func(field string, err error) error { return fmt.Errorf("%s: %w", field, err) }
	var err error
	if t.normalizer, err = parseNormalizer(d.normalizer, &t.faults); err == nil {
		err = checkGrowth(flat(t.normalizer))
	}
	if err != nil {
		return nil, wrap("normalizer", err)
	}
	if t.truncation, err = parseTruncation(d.truncation); err != nil {
		return nil, wrap("truncation", err)
	}
	if t.padding, err = parsePadding(d.padding); err != nil {
		return nil, wrap("padding", err)
	}
	if t.steps, err = parsePreTokenizer(nil, d.preTokenizer, &t.faults); err != nil {
		return nil, wrap("pre_tokenizer", err)
	}
	list, err := parseAdded(d.added)
	if err != nil {
		return nil, wrap("added_tokens", err)
	}
	if t.added, err = newAdded(list, t.vocab, t.normalizer); err != nil {
		return nil, wrap("added_tokens", err)
	}
	if err = d.model.finish(lastIsByteLevel(t.steps)); err != nil {
		return nil, wrap("model", err)
	}
	t.chooseScanner()
	if t.decoders, err = parseDecoder(nil, d.decoder, &t.faults); err == nil {
		err = checkGrowth(t.decoders)
	}
	if err != nil {
		return nil, wrap("decoder", err)
	}
	if err = t.post.parsePost(d.postProcessor); err == nil {
		err = t.post.check(t)
	}
	if err != nil {
		return nil, wrap("post_processor", err)
	}
	return t, nil
}

func lastIsByteLevel(steps []preTokenizer) bool {
	if len(steps) == 0 {
		return false
	}
	_, ok := steps[len(steps)-1].(*byteLevel)
	return ok
}

package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// modelReader reads the field model. Fields come in any order, so merges that
// come before the vocabulary they need are read when all else is.
type modelReader struct {
	r       *reader
	m       *bpe
	merges  int // where the merges start, 0 for none
	read    bool
	unknown []string // fields that tell what kind of model it is
	vocab   bool
}

func readModel(r *reader) (*bpe, error) {
	d := &modelReader{r: r, m: &bpe{vocab: newVocab(r.raw), unk: -1}}
	err := r.object(func(key []byte) error {
		if err := d.field(string(key)); err != nil {
			return fmt.Errorf("%.40s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := d.kind(); err != nil {
		return nil, err
	}
	if !d.read {
		again := &reader{raw: r.raw, i: d.merges}
		if err := d.m.readMerges(again); err != nil {
			return nil, fmt.Errorf("merges: %w", err)
		}
	}
	return d.m, nil
}

// kind refuses what is not BPE. Files of older versions have no type.
func (d *modelReader) kind() error {
	for _, field := range d.unknown {
		return fmt.Errorf("%w: a model with the field %q (WordPiece)", ErrUnsupported, field)
	}
	switch {
	case !d.vocab:
		return fmt.Errorf("vocab: got none, want one")
	case d.merges == 0:
		return fmt.Errorf("%w: a model without merges (WordLevel or WordPiece)", ErrUnsupported)
	}
	return nil
}

func (d *modelReader) field(key string) error {
	r, m := d.r, d.m
	switch key {
	case "vocab":
		d.vocab = true
		if r.next() == '[' {
			return fmt.Errorf("%w: a list of scores (Unigram)", ErrUnsupported)
		}
		return m.readVocab(r)
	case "merges":
		r.next()
		d.merges = r.i
		if d.vocab && d.prefixKnown() {
			d.read = true
			return m.readMerges(r)
		}
		_, err := r.skip()
		return err
	case "max_input_chars_per_word":
		d.unknown = append(d.unknown, key)
	}
	raw, err := r.skip()
	if err != nil {
		return err
	}
	return d.option(key, raw)
}

// prefixKnown says that no continuing_subword_prefix can follow that merges
// depend on: the library writes it before them. Where it is not yet seen, the
// merges wait.
func (d *modelReader) prefixKnown() bool { return d.m.prefixSeen }

// option reads a field of a simple type.
func (d *modelReader) option(key string, raw json.RawMessage) error {
	m := d.m
	var into any
	switch key {
	case "type":
		var kind string
		if err := json.Unmarshal(raw, &kind); err != nil {
			return err
		}
		if kind != "BPE" {
			return fmt.Errorf("%w: %.40q", ErrUnsupported, kind)
		}
		return nil
	case "dropout":
		if !bytes.Equal(raw, []byte("null")) && string(raw) != "0.0" && string(raw) != "0" {
			return fmt.Errorf("%w: got %.20s, want null: dropout makes ids random", ErrUnsupported, raw)
		}
		return nil
	case "unk_token":
		into = &m.unkText
	case "continuing_subword_prefix":
		m.prefixSeen = true
		into = &m.prefix
	case "end_of_word_suffix":
		into = &m.suffix
	case "fuse_unk":
		into = &m.fuseUnk
	case "byte_fallback":
		into = &m.byteFallback
	case "ignore_merges":
		into = &m.ignoreMerges
	default:
		return nil
	}
	return json.Unmarshal(raw, into) // null leaves the default
}

func (m *bpe) readVocab(r *reader) error {
	// The key is read here and not by reader.object, which does not say whether
	// it lies in the document.
	return r.entries(func(text []byte, inPlace bool) error {
		id, err := r.number()
		if err != nil {
			return fmt.Errorf("%.40q: %w", text, err)
		}
		return m.vocab.add(text, inPlace, id)
	})
}

// readMerges reads merges as pairs or, as older files have them, as strings with
// a space between.
func (m *bpe) readMerges(r *reader) error {
	m.merges = newMerges(m.vocab.count)
	var buf, left, right []byte
	rank := 0
	return r.array(func(i int) (err error) {
		switch r.next() {
		case '"':
			var line []byte
			if line, _, err = r.str(); err != nil {
				return err
			}
			if bytes.HasPrefix(line, []byte("#version")) {
				return nil
			}
			var ok bool
			if left, right, ok = bytes.Cut(line, []byte(" ")); !ok || bytes.IndexByte(right, ' ') >= 0 {
				return fmt.Errorf("[%d]: got %.60q, want two tokens with a space between", i, line)
			}
		default:
			n := 0
			err = r.array(func(k int) (err error) {
				n++
				left = right
				right, _, err = r.str()
				return err
			})
			if err == nil && n != 2 {
				err = fmt.Errorf("got %d texts, want 2", n)
			}
			if err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		if rank >= maxMerges {
			return fmt.Errorf("%w: want at most %d", ErrLimit, maxMerges)
		}
		if buf, err = m.join(left, right, rank, buf); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
		rank++
		return nil
	})
}

package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// modelReader reads the field model. Its fields come in any order, and the one
// that tells the kind of model may be missing, so what is common to all kinds is
// read first, and merges that come before the vocabulary they need are read when
// all else is.
type modelReader struct {
	r      *reader
	m      *bpe // holds the vocabulary, whatever the kind
	merges int  // where the merges start, 0 for none
	read   bool // the merges are read

	vocab  bool      // the vocabulary is read
	scores []float64 // of a vocabulary with scores, by id; not nil for one

	kind     string
	unk      *string // unk_token
	unkID    *int
	prefix   *string
	maxChars *int
}

func readModel(r *reader) (model, error) {
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
	return d.build()
}

// build makes the model of what was read.
func (d *modelReader) build() (model, error) {
	if !d.vocab {
		return nil, errors.New("vocab: got none, want one")
	}
	kind := d.kind
	if kind == "" {
		kind = d.guess()
	}
	if list := d.scores != nil; list != (kind == "Unigram") {
		return nil, fmt.Errorf("vocab: got a list %t for the type %q, want a list for Unigram, else an object", list, kind)
	}
	switch kind {
	case "BPE":
		return d.bpe()
	case "WordPiece":
		return d.wordPiece(), nil
	case "WordLevel":
		return &wordLevel{vocab: d.m.vocab, unkText: d.m.unkText}, nil
	case "Unigram":
		return d.unigram()
	case "":
		return nil, errors.New("type: got none, nor merges, scores or unk_token, which would tell the kind")
	}
	return nil, fmt.Errorf("type: %w: %.40q", ErrUnsupported, kind)
}

// guess is the kind of a model without a type, as older files have it: the first
// that the Rust library can read with the fields that are there.
func (d *modelReader) guess() string {
	switch {
	case d.scores != nil:
		return "Unigram"
	case d.merges > 0:
		return "BPE"
	case d.unk != nil && d.prefix != nil && d.maxChars != nil:
		return "WordPiece"
	case d.unk != nil:
		return "WordLevel"
	}
	return ""
}

func (d *modelReader) bpe() (model, error) {
	if d.merges == 0 {
		return nil, errors.New("merges: got none, want a list")
	}
	if !d.read {
		again := &reader{raw: d.r.raw, i: d.merges}
		if err := d.m.readMerges(again); err != nil {
			return nil, fmt.Errorf("merges: %w", err)
		}
	}
	return d.m, nil
}

func (d *modelReader) field(key string) error {
	r, m := d.r, d.m
	switch key {
	case "vocab":
		if d.vocab {
			return errors.New("got two, want one")
		}
		d.vocab = true
		if r.next() == '[' {
			return d.readScores()
		}
		return d.readVocab()
	case "merges":
		r.next()
		d.merges = r.i
		// The prefix changes merges. The library writes it before them; where it
		// is not yet seen, the merges wait.
		if d.vocab && d.scores == nil && m.prefixSeen {
			d.read = true
			return m.readMerges(r)
		}
		_, err := r.skip()
		return err
	}
	raw, err := r.skip()
	if err != nil {
		return err
	}
	return d.option(key, raw)
}

// option reads a field of a simple type.
func (d *modelReader) option(key string, raw json.RawMessage) error {
	m := d.m
	var into any
	switch key {
	case "type":
		into = &d.kind
	case "dropout":
		if s := string(raw); s != "null" && s != "0.0" && s != "0" {
			return fmt.Errorf("%w: got %.20s, want null: dropout makes ids random", ErrUnsupported, raw)
		}
		return nil
	case "unk_token":
		if err := json.Unmarshal(raw, &d.unk); err != nil || d.unk == nil {
			return err
		}
		m.unkText = *d.unk
		return nil
	case "continuing_subword_prefix":
		m.prefixSeen = true
		if err := json.Unmarshal(raw, &d.prefix); err != nil || d.prefix == nil {
			return err
		}
		m.prefix = *d.prefix
		return nil
	case "max_input_chars_per_word":
		into = &d.maxChars
	case "unk_id":
		into = &d.unkID
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

func (d *modelReader) readVocab() error {
	r := d.r
	// The key is read here and not by reader.object, which does not say whether
	// it lies in the document.
	return r.entries(func(text []byte, inPlace bool) error {
		id, err := r.number()
		if err != nil {
			return fmt.Errorf("%.40q: %w", text, err)
		}
		return d.m.vocab.add(text, inPlace, id)
	})
}

// readScores reads a vocabulary that is a list of texts with their scores.
func (d *modelReader) readScores() error {
	r, v := d.r, d.m.vocab
	d.scores = []float64{}
	err := r.array(func(id int) error {
		n := 0
		err := r.array(func(int) (err error) {
			switch n++; n {
			case 1:
				var text []byte
				var inPlace bool
				if text, inPlace, err = r.str(); err == nil {
					err = v.add(text, inPlace, id)
				}
			case 2:
				var score float64
				score, err = r.float()
				d.scores = append(d.scores, score)
			default:
				err = errors.New("got more than a text and a score")
			}
			return err
		})
		if err == nil && n != 2 {
			err = errors.New("want a text and a score")
		}
		if err != nil {
			return fmt.Errorf("[%d]: %w", id, err)
		}
		return nil
	})
	v.count = len(d.scores) // the Rust library counts texts that come twice
	return err
}

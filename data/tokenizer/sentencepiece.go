package tokenizer

import (
	"fmt"
	"math"
)

// SentencePieceOptions says what special tokens a tokenizer from a SentencePiece
// model puts around a text; the model does not tell. Llama and Gemma put BOS
// before it, T5 puts EOS behind it.
type SentencePieceOptions struct {
	AddBOS, AddEOS bool
}

// FromSentencePiece builds the tokenizer of a SentencePiece model (the files
// tokenizer.model, spiece.model, sentencepiece.bpe.model) of the kinds unigram and
// bpe; name stands for it in errors. It gives the ids of the tokenizer.json that
// such a file is converted to: rules of normalisation apply to grapheme clusters,
// scores are summed in float64, and control tokens spelled out in the text are
// recognised. On text without control tokens and pieces that a user defined, at
// which the text is cut before it is normalised, the ids are those of
// SentencePiece, but for ties.
func FromSentencePiece(name string, raw []byte, o SentencePieceOptions) (*Tokenizer, error) {
	t, err := fromSentencePiece(raw, o)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	return t, nil
}

// Types of pieces that GGUF's numbers share.
const typeUnused = 5

// spmModel is what is read of a model.
type spmModel struct {
	v                  Vocabulary
	kind               uint64 // 1 unigram, 2 bpe, 3 word, 4 char
	unk, bos, eos, pad int64  // ids, negative for none
	suffix             bool   // spaces belong to the word before them
	escape             bool   // spaces become visible
}

func fromSentencePiece(raw []byte, o SentencePieceOptions) (*Tokenizer, error) {
	if len(raw) > maxDocument {
		return nil, fmt.Errorf("%w: got %d bytes, want at most %d", ErrLimit, len(raw), maxDocument)
	}
	m := &spmModel{kind: 1, unk: 0, bos: 1, eos: 2, pad: -1, escape: true}
	m.v.AddSpacePrefix, m.v.RemoveExtraSpaces = new(true), new(true)
	if err := eachField(raw, m.field); err != nil {
		return nil, err
	}
	return m.build(o)
}

func (m *spmModel) build(o SentencePieceOptions) (*Tokenizer, error) {
	v := &m.v
	switch {
	case m.kind == 1:
		v.Model = "t5"
	case m.kind == 2:
		v.Model = "llama"
	default:
		return nil, fmt.Errorf("trainer_spec: model_type: %w: got %d, want 1 (unigram) or 2 (bpe)", ErrUnsupported, m.kind)
	}
	if m.suffix || !m.escape {
		return nil, fmt.Errorf("%w: treat_whitespace_as_suffix %t, escape_whitespaces %t", ErrUnsupported, m.suffix, m.escape)
	}
	for id, kind := range v.Types {
		if kind == typeUnused {
			return nil, fmt.Errorf("pieces[%d]: %w: an unused piece", id, ErrUnsupported)
		}
	}
	for _, role := range []struct {
		name string
		from int64
		to   **int32
	}{{"unk", m.unk, &v.UNK}, {"bos", m.bos, &v.BOS}, {"eos", m.eos, &v.EOS}, {"pad", m.pad, &v.PAD}} {
		if role.from >= int64(len(v.Tokens)) {
			return nil, fmt.Errorf("trainer_spec: %s_id: got %d, want less than %d", role.name, role.from, len(v.Tokens))
		}
		if role.from >= 0 {
			*role.to = new(int32(role.from))
		}
	}
	v.AddBOS, v.AddEOS = &o.AddBOS, &o.AddEOS
	if o.AddBOS && v.BOS == nil || o.AddEOS && v.EOS == nil {
		return nil, fmt.Errorf("trainer_spec: got bos_id %d and eos_id %d, want the tokens to add", m.bos, m.eos)
	}
	return fromGGUF(v)
}

// field reads a field of the message ModelProto.
func (m *spmModel) field(f protoField) error {
	switch f.number {
	case 1:
		if err := m.piece(f.bytes); err != nil {
			return fmt.Errorf("pieces[%d]: %w", len(m.v.Tokens), err)
		}
		if len(m.v.Tokens) > maxID {
			return fmt.Errorf("pieces: %w: want at most %d", ErrLimit, maxID)
		}
	case 2:
		return eachField(f.bytes, m.trainer)
	case 3:
		return eachField(f.bytes, m.normalizer)
	}
	return nil
}

func (m *spmModel) piece(raw []byte) error {
	text, score, kind := "", float32(0), int32(typeNormal)
	err := eachField(raw, func(f protoField) error {
		switch f.number {
		case 1:
			text = string(f.bytes)
		case 2:
			score = math.Float32frombits(uint32(f.value))
		case 3:
			if f.value < typeNormal || f.value > 6 {
				return fmt.Errorf("type: got %d, want 1 … 6", f.value)
			}
			kind = int32(f.value)
		}
		return nil
	})
	m.v.Tokens, m.v.Scores, m.v.Types = append(m.v.Tokens, text), append(m.v.Scores, score), append(m.v.Types, kind)
	return err
}

// trainer reads a field of the message TrainerSpec. Whether there is byte fallback
// follows from the pieces.
func (m *spmModel) trainer(f protoField) error {
	id := int64(int32(uint32(f.value)))
	switch f.number {
	case 3:
		m.kind = f.value
	case 24:
		m.suffix = f.value != 0
	case 40:
		m.unk = id
	case 41:
		m.bos = id
	case 42:
		m.eos = id
	case 43:
		m.pad = id
	}
	return nil
}

// normalizer reads a field of the message NormalizerSpec.
func (m *spmModel) normalizer(f protoField) error {
	switch f.number {
	case 2:
		m.v.Charsmap = f.bytes
	case 3:
		m.v.AddSpacePrefix = new(f.value != 0)
	case 4:
		m.v.RemoveExtraSpaces = new(f.value != 0)
	case 5:
		m.escape = f.value != 0
	}
	return nil
}

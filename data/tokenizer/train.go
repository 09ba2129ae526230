package tokenizer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// TrainOptions says what tokenizer TrainBPE makes. The zero value is a tokenizer
// of 30 000 tokens in the way of GPT-2.
type TrainOptions struct {
	VocabSize    int // tokens in all, with the 256 bytes and the special tokens; 0: 30 000
	MinFrequency int // how often a pair must be seen to be merged; 0: 2
	// SpecialTokens have the first ids, in order. They are found in any text that
	// is encoded, but not in the texts of the training.
	SpecialTokens []string
	// BOS, EOS and PAD name special tokens that have a role; "" for none.
	BOS, EOS, PAD string
	ChatTemplate  string
	// Pattern splits texts into words, each match being one; "": GPT-2's.
	Pattern        string
	AddPrefixSpace bool // put a space before a text that does not start with one
	// MaxTokenLength keeps tokens shorter than this number of bytes, but for those
	// of two; 0: no limit.
	MaxTokenLength int
	// MaxWords bounds the distinct words that are counted at a time, and 64 times
	// as many their bytes; 0: 2 097 152. Beyond it the rarest are forgotten.
	MaxWords int
}

// Defaults of TrainOptions.
const (
	defaultVocabSize = 30000
	defaultFrequency = 2
	defaultWords     = 1 << 21
)

// numBytes is the number of bytes, each of which has a token.
const numBytes = 256

func (o *TrainOptions) fill() {
	for _, f := range []struct {
		field *int
		value int
	}{{&o.VocabSize, defaultVocabSize}, {&o.MinFrequency, defaultFrequency}, {&o.MaxWords, defaultWords}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
}

// Validate reports all faults of the options.
func (o TrainOptions) Validate() error {
	o.fill()
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf("tokenizer: "+format, args...)) }
	if least := numBytes + len(o.SpecialTokens); o.VocabSize < least || o.VocabSize > maxID+1 {
		bad("VocabSize: got %d, want %d (bytes and special tokens) … %d", o.VocabSize, least, maxID+1)
	}
	for _, f := range []struct {
		name         string
		value, least int
	}{{"MinFrequency", o.MinFrequency, 1}, {"MaxTokenLength", o.MaxTokenLength, 0}, {"MaxWords", o.MaxWords, 1}} {
		if f.value < f.least {
			bad("%s: got %d, want at least %d", f.name, f.value, f.least)
		}
	}
	seen := map[string]bool{}
	for i, s := range o.SpecialTokens {
		r := []rune(s)
		if _, single := runeByte(append(r, -1)[0]); s == "" || len(r) == 1 && single || seen[s] {
			bad("SpecialTokens[%d]: got %q, want a text that is neither empty nor a byte nor there before", i, s)
		}
		seen[s] = true
	}
	for _, role := range [][2]string{{"BOS", o.BOS}, {"EOS", o.EOS}, {"PAD", o.PAD}} {
		if role[1] != "" && !seen[role[1]] {
			bad("%s: got %q, want one of SpecialTokens", role[0], role[1])
		}
	}
	return errors.Join(faults...)
}

// TrainBPE makes a byte-level BPE tokenizer of texts (Sennrich et al., 2016,
// arXiv 1508.07909; Radford et al., 2019). It has the very tokens and merges that
// BpeTrainer of Hugging Face makes with ByteLevel.alphabet() as the initial
// alphabet: of pairs of equal count the one with the smaller ids is merged first.
// The same texts give the same tokenizer.
//
// An error among texts ends the training, as does ctx.
func TrainBPE(ctx context.Context, texts iter.Seq2[string, error], o TrainOptions) (*Tokenizer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.fill()
	t, err := o.train(ctx, texts)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: training: %w", err)
	}
	return t, nil
}

func (o *TrainOptions) train(ctx context.Context, texts iter.Seq2[string, error]) (*Tokenizer, error) {
	m := o.alphabet()
	start, err := o.assemble(m)
	if err != nil {
		return nil, err
	}
	words, err := o.countWords(ctx, start, texts)
	if err != nil {
		return nil, err
	}
	tr := newTrainer(m, words, o)
	if err := tr.run(ctx); err != nil {
		return nil, err
	}
	return o.assemble(m)
}

// alphabet is a model of the special tokens and the bytes, those in the order of
// their stand-ins.
func (o *TrainOptions) alphabet() *bpe {
	v := newVocab(nil)
	stand := make([]rune, numBytes)
	for b := range stand {
		stand[b] = byteRune(byte(b))
	}
	slices.Sort(stand)
	all := slices.Clone(o.SpecialTokens)
	for _, r := range stand {
		all = append(all, string(r))
	}
	for id, text := range all {
		_ = v.add(view(text), false, id) // ids are new and small
	}
	return &bpe{vocab: v, unk: -1, merges: newMerges(o.VocabSize)}
}

// assemble is the tokenizer around a model.
func (o *TrainOptions) assemble(m *bpe) (*Tokenizer, error) {
	type j = map[string]any
	level := j{"type": "ByteLevel", "add_prefix_space": o.AddPrefixSpace, "trim_offsets": true, "use_regex": o.Pattern == ""}
	doc := written{PreTokenizer: level, Decoder: j{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}}
	if o.Pattern != "" {
		doc.PreTokenizer = j{"type": "Sequence", "pretokenizers": []any{isolate(o.Pattern), level}}
	}
	doc.added = []addedToken{}
	for id, text := range o.SpecialTokens {
		doc.added = append(doc.added, addedToken{ID: id, Content: text, Special: true})
	}
	t, err := doc.assemble(m)
	if err != nil {
		return nil, err
	}
	t.names = special{bos: o.BOS, eos: o.EOS, pad: o.PAD}
	t.template = o.ChatTemplate
	return t, nil
}

package tokenizer

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// written describes a tokenizer that does not come from a document, in the words
// of tokenizer.json.
type written struct {
	Normalizer, PreTokenizer, PostProcessor, Decoder any

	added []addedToken
}

// assemble builds the tokenizer by way of the same code that reads documents, so
// that what is written and read again is the same.
func (d *written) assemble(m model) (*Tokenizer, error) {
	doc := document{model: m}
	for _, part := range []struct {
		to   *json.RawMessage
		from any
	}{
		{&doc.normalizer, d.Normalizer}, {&doc.preTokenizer, d.PreTokenizer},
		{&doc.postProcessor, d.PostProcessor}, {&doc.decoder, d.Decoder}, {&doc.added, d.added},
	} {
		var err error
		if *part.to, err = marshal(part.from); err != nil {
			return nil, err
		}
	}
	t, err := doc.assemble()
	if err != nil {
		return nil, err
	}
	t.parts = &doc
	return t, nil
}

// marshal is json.Marshal without its escapes for HTML.
func marshal(v any) (json.RawMessage, error) {
	var b lines
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return json.RawMessage(b), err
}

// lines collects what an encoder writes.
type lines []byte

// Write appends p without the line end that an encoder adds.
func (b *lines) Write(p []byte) (int, error) {
	n := len(p)
	if n > 0 && p[n-1] == '\n' {
		p = p[:n-1]
	}
	*b = append(*b, p...)
	return n, nil
}

// WriteJSON writes the tokenizer as a tokenizer.json: the very bytes it was read
// from, or for another source a file that the Rust library reads and that gives
// the same ids.
func (t *Tokenizer) WriteJSON(w io.Writer) error {
	if t.source != nil {
		_, err := w.Write(t.source)
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	d := t.parts
	fmt.Fprintf(b, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": %s,\n", d.added)
	fmt.Fprintf(b, "  \"normalizer\": %s,\n  \"pre_tokenizer\": %s,\n  \"post_processor\": %s,\n  \"decoder\": %s,\n",
		d.normalizer, d.preTokenizer, d.postProcessor, d.decoder)
	if err := t.model.write(b); err != nil {
		return err
	}
	b.WriteString("\n}\n")
	return b.Flush()
}

func (m *bpe) write(b *bufio.Writer) error {
	unk, err := json.Marshal(m.unkText)
	if err != nil {
		return err
	}
	if m.unkText == "" {
		unk = []byte("null")
	}
	fmt.Fprintf(b, "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": %s,\n"+
		"    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": %t,\n"+
		"    \"byte_fallback\": %t,\n    \"ignore_merges\": %t,\n    \"vocab\": {", unk, m.fuseUnk, m.byteFallback, m.ignoreMerges)
	if err := m.vocab.write(b); err != nil {
		return err
	}
	b.WriteString("\n    },\n    \"merges\": [")
	sep := "\n"
	for _, s := range m.merges.ranked() {
		pair, err := marshal([2]string{str(m.vocab.text(int32(s.pair >> 32))), str(m.vocab.text(int32(uint32(s.pair))))})
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "%s      %s", sep, pair)
		sep = ",\n"
	}
	b.WriteString("\n    ]\n  }")
	return nil
}

// write writes the entries of the field vocab by id.
func (v *vocab) write(b *bufio.Writer) error {
	sep := "\n"
	for id := range v.places {
		if !v.has(int32(id)) || v.id(v.text(int32(id))) != int32(id) {
			continue
		}
		text, err := marshal(str(v.text(int32(id))))
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "%s      %s: %d", sep, text, id)
		sep = ",\n"
	}
	return nil
}

// ranked lists the merges by rank.
func (t *merges) ranked() []merge {
	all := make([]merge, 0, t.n)
	for _, m := range t.slots {
		if m.next != noMerge {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b merge) int { return cmp.Compare(a.next, b.next) })
	return all
}

package tokenizer

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// byteLevel describes a gpt2 model.
func (v *Vocabulary) byteLevel(words *vocab, doc *written) (model, error) {
	type j = map[string]any
	pre, ok := preTokenizers[v.Pre]
	if !ok {
		why := cmp.Or(otherPreTokenizers[v.Pre], "its way to split text into words is not known")
		return nil, fmt.Errorf("tokenizer.ggml.pre: %w: %.40q (%s)", ErrUnsupported, v.Pre, why)
	}
	level := j{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": pre.regex}
	doc.PreTokenizer = level
	if len(pre.steps) > 0 {
		steps := slices.Clone(pre.steps)
		if !pre.encoded {
			steps = append(steps, level)
		}
		doc.PreTokenizer = j{"type": "Sequence", "pretokenizers": steps}
	}
	if pre.nfc {
		doc.Normalizer = j{"type": "NFC"}
	}
	doc.Decoder = j{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}
	m := &bpe{vocab: words, unk: -1, ignoreMerges: pre.ignoreMerges, merges: newMerges(len(v.Merges))}
	var buf []byte
	for i, line := range v.Merges {
		left, right, ok := bytes.Cut(view(line), []byte(" "))
		if !ok || bytes.IndexByte(right, ' ') >= 0 {
			return nil, fmt.Errorf("tokenizer.ggml.merges[%d]: got %.60q, want two tokens with a space between", i, line)
		}
		var err error
		if buf, err = m.join(left, right, i, buf); err != nil {
			return nil, fmt.Errorf("tokenizer.ggml.merges[%d]: %w", i, err)
		}
	}
	return m, nil
}

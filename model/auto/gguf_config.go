package auto

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// ggufNumbers are the whole numbers of the metadata, below the architecture's
// prefix, and their names in config.json.
var ggufNumbers = []struct {
	key, field string
	required   bool
}{
	{"context_length", "max_position_embeddings", true},
	{"embedding_length", "hidden_size", true},
	{"block_count", "num_hidden_layers", true},
	{"feed_forward_length", "intermediate_size", true},
	{"attention.head_count", "num_attention_heads", true},
	{"attention.head_count_kv", "num_key_value_heads", false},
	{"attention.key_length", "head_dim", false},
	{"attention.sliding_window", "sliding_window", false},
}

// ggufReals are the other numbers. They are float32 in the file; config.json
// gets the shortest decimal that stands for the same float32, which is what the
// model's author wrote.
var ggufReals = []struct {
	key, field string
	required   bool
}{
	{"attention.layer_norm_rms_epsilon", "rms_norm_eps", false}, // one of the two: see ggufConfig
	{"attention.layer_norm_epsilon", "rms_norm_eps", false},
	{"rope.freq_base", "rope_theta", false},
	{"rope.freq_base_swa", "rope_local_base_freq", false},
	{"attn_logit_softcapping", "attn_logit_softcapping", false},
	{"final_logit_softcapping", "final_logit_softcapping", false},
}

// ggufConfig writes the config.json that the file's model would have, in the
// layout of transformers 4, which versions 4 and 5 read.
func ggufConfig(f *gguf.File, fam model.Family) ([]byte, error) {
	prefix := fam.GGUF.Architecture + "."
	fields := map[string]any{
		"model_type": fam.ModelType, "architectures": []string{fam.Class}, "hidden_act": "silu", "torch_dtype": "float32",
	}
	var errs []error
	for _, n := range ggufNumbers {
		if !f.Has(prefix+n.key) && !n.required {
			continue
		}
		v, err := f.Int(prefix + n.key)
		errs = append(errs, err)
		fields[n.field] = v
	}
	for _, n := range ggufReals {
		if !f.Has(prefix+n.key) && !n.required {
			continue
		}
		v, err := real(f, prefix+n.key)
		errs = append(errs, err)
		fields[n.field] = v
	}
	if fields["rms_norm_eps"] == nil {
		_, err := real(f, prefix+ggufReals[0].key)
		errs = append(errs, err)
	}
	errs = append(errs, ggufShapes(f, fields), ggufIDs(f, fields), ggufRoPE(f, prefix, fields))
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%w: %w", model.ErrConfig, err)
	}
	if fam.GGUF.Config != nil {
		if err := fam.GGUF.Config(f, fields); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", model.ErrConfig, f.Name(), err)
		}
	}
	for own, usual := range fam.Defaults.Aliases {
		if v, ok := fields[usual]; ok {
			fields[own] = v
			delete(fields, usual)
		}
	}
	return json.MarshalIndent(fields, "", "  ")
}

// real reads a number as the shortest decimal that gives the same float32.
func real(f *gguf.File, key string) (float64, error) {
	v, err := f.Float(key)
	if err != nil {
		return 0, err
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s: %s is %g, want a finite number", f.Name(), key, v)
	}
	return strconv.ParseFloat(strconv.FormatFloat(v, 'g', -1, 32), 64)
}

// ggufShapes settles what the file says by the shapes of its tensors only: the
// vocabulary, tied embeddings, biases, and the width of a head.
func ggufShapes(f *gguf.File, fields map[string]any) error {
	t, err := f.Tensor("token_embd.weight")
	if err != nil {
		return err
	}
	fields["vocab_size"] = t.Rows()
	_, err = f.Tensor("output.weight")
	fields["tie_word_embeddings"] = err != nil
	_, err = f.Tensor("blk.0.attn_output.bias")
	fields["attention_bias"] = err == nil
	heads, _ := fields["num_attention_heads"].(int64)
	width, _ := fields["hidden_size"].(int64)
	if _, ok := fields["head_dim"]; !ok && heads > 0 {
		fields["head_dim"] = width / heads
	}
	return nil
}

// ggufIDs reads the ids of special tokens. A text may end with the end of a turn
// or of a message as well as with the end of the sequence.
func ggufIDs(f *gguf.File, fields map[string]any) error {
	m := ggufMetadata{f: f}
	if id := m.id("bos_token_id"); id != nil {
		fields["bos_token_id"] = *id
	}
	if id := m.id("padding_token_id"); id != nil {
		fields["pad_token_id"] = *id
	}
	var ends []int32
	for _, key := range []string{"eos_token_id", "eot_token_id", "eom_token_id"} {
		if id := m.id(key); id != nil && !slices.Contains(ends, *id) {
			ends = append(ends, *id)
		}
	}
	switch len(ends) {
	case 0:
	case 1:
		fields["eos_token_id"] = ends[0]
	default:
		fields["eos_token_id"] = ends
	}
	return errors.Join(m.errs...)
}

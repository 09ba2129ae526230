package auto

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// FuzzFromGGUF looks for metadata and tensors that the format allows and that
// crash what builds a model of them.
func FuzzFromGGUF(f *testing.F) {
	f.Add(ggufBytes([][2]any{{"general.architecture", "llama"}, {"llama.block_count", uint32(1 << 31)}}))
	f.Add(ggufBytes([][2]any{
		{"general.architecture", "gemma3"}, {"gemma3.block_count", uint32(1)}, {"gemma3.embedding_length", uint32(8)},
		{"gemma3.attention.head_count", uint32(0)}, {"gemma3.attention.layer_norm_rms_epsilon", float32(1e-6)}, {"tokenizer.ggml.eos_token_id", uint32(1<<32 - 1)},
	}))
	if raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "oracle", "formats", "gguf_models", "qwen2", "qwen2-q4_1.gguf")); err == nil {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := gguf.Parse("fuzz", raw)
		if err != nil {
			return
		}
		for _, o := range []Options{{NoTokenizer: true}, {}} {
			c, err := fromGGUF(file, o)
			if (c == nil) == (err == nil) {
				t.Fatal("want either a checkpoint or an error")
			}
		}
	})
}

// FuzzHead looks for configurations of heads that crash what loads them.
func FuzzHead(f *testing.F) {
	f.Add([]byte(`{"architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "a", "1": "b"}, "num_labels": 2, "problem_type": "regression"}`))
	f.Add([]byte(`{"architectures": ["Qwen2ForTokenClassification"], "num_labels": -1}`))
	f.Add([]byte(`{"architectures": ["X", "ForTokenClassification"], "id2label": {"00": "a"}, "problem_type": null}`))
	f.Add([]byte(`{"architectures": null, "num_labels": 99999999999}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		config := &model.Config{ModelType: "llama", HiddenSize: 4}
		l := model.NewLoader(config, model.Weights{}, model.LoadOptions{})
		h, err := openHead(raw, config, l)
		if err != nil && h != nil {
			t.Fatal("want either a head or an error")
		}
		if h != nil && l.Err() == nil {
			t.Fatal("want the missing weights to be reported")
		}
	})
}

package gguf_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor/gguf"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

type modelIndex struct {
	Models map[string]struct {
		Family string
		Files  map[string]struct {
			Parts []string
			Types map[string]string
		}
		Metadata map[string]string `json:"gguf_metadata_as_llama_cpp_prints_it"`
	}
}

// eachModel runs fn for every GGUF file of the model fixtures.
func eachModel(t *testing.T, fn func(t *testing.T, ix *modelIndex, model, file string, f *gguf.File, dir string)) {
	for _, root := range oracle.Roots(t, "formats/gguf_models") {
		var ix modelIndex
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &ix)
		for model, m := range ix.Models {
			for file, info := range m.Files {
				path := filepath.Join(root, model, info.Parts[0])
				if found, _ := filepath.Glob(path); len(found) == 0 {
					continue // a selection lies in the repository
				}
				t.Run(file, func(t *testing.T) {
					f, err := gguf.Open(path)
					require.NoError(t, err)
					defer f.Close()
					fn(t, &ix, model, file, f, filepath.Join(root, model))
				})
			}
		}
	}
}

// TestOracleModelFiles compares metadata with llama.cpp's print and the tensors
// with the list of their types, split files included.
func TestOracleModelFiles(t *testing.T) {
	tally := oracle.NewTally(t)
	eachModel(t, func(t *testing.T, ix *modelIndex, model, file string, f *gguf.File, _ string) {
		assert.Equal(t, len(ix.Models[model].Files[file].Parts), f.Parts())
		got := map[string]string{}
		for name, x := range f.Tensors() {
			got[name] = x.Type().String()
		}
		assert.Equal(t, ix.Models[model].Files[file].Types, got)
		for key, want := range ix.Models[model].Metadata {
			if key == "general.file_type" || key == "general.quantization_version" {
				continue // the index has them for one variant only
			}
			v, err := f.Value(key)
			require.NoError(t, err)
			text := fmt.Sprint(v)
			if x, ok := v.(float32); ok {
				text = fmt.Sprintf("%f", x)
			}
			assert.Equal(t, want, text, key)
		}
		tally.Compared(1)
	})
}

// hfNames turns GGUF names into those of a Hugging Face folder, in order.
var hfNames = strings.NewReplacer(
	"token_embd.", "model.embed_tokens.", "output_norm.", "model.norm.", "blk.", "model.layers.",
	"attn_q_norm.", "self_attn.q_norm.", "attn_k_norm.", "self_attn.k_norm.", "attn_norm.", "input_layernorm.",
	"attn_output.", "self_attn.o_proj.", "attn_q.", "self_attn.q_proj.", "attn_k.", "self_attn.k_proj.", "attn_v.", "self_attn.v_proj.",
	"ffn_gate.", "mlp.gate_proj.", "ffn_up.", "mlp.up_proj.", "ffn_down.", "mlp.down_proj.",
	"post_ffw_norm.", "post_feedforward_layernorm.", "post_attention_norm.", "post_attention_layernorm.", "output.", "lm_head.",
)

var (
	rotated = regexp.MustCompile(`attn_[qk]\.`)
	norm    = regexp.MustCompile(`norm\.weight$`)
	exact   = map[gguf.Type]bool{gguf.F32: true, gguf.F16: true, gguf.BF16: true}
)

func hfName(family, name string) string {
	to := "post_attention_layernorm."
	if family == "gemma3" {
		to = "pre_feedforward_layernorm."
	}
	return strings.ReplaceAll(hfNames.Replace(name), "ffn_norm.", to)
}

// interleave reorders rows as llama.cpp's converter does for the llama
// architecture: inside each head, row i of the first half and row i of the
// second become rows 2i and 2i+1.
func interleave(x []float32, heads, row int) []float32 {
	dim := len(x) / row / heads
	out := make([]float32, 0, len(x))
	for h := range heads {
		for i := range dim / 2 {
			for _, r := range []int{h*dim + i, h*dim + dim/2 + i} {
				out = append(out, x[r*row:(r+1)*row]...)
			}
		}
	}
	return out
}

// TestOracleModelWeights compares lossless tensors with the Hugging Face folder
// and thereby proves what doc.go says on how the two differ.
func TestOracleModelWeights(t *testing.T) {
	tally := oracle.NewTally(t)
	eachModel(t, func(t *testing.T, ix *modelIndex, model, file string, f *gguf.File, dir string) {
		family := ix.Models[model].Family
		hf, err := safetensors.OpenFolder(filepath.Join(dir, "hf"))
		if err != nil || family == "phi3" || family == "gpt2" {
			tally.Skip(file, "no weights, or a family that fuses or transposes")
			return
		}
		defer hf.Close()
		seen := map[string]bool{}
		for name, x := range f.Tensors() {
			if !exact[x.Type()] || name == "rope_freqs.weight" {
				continue
			}
			want := hfTensor(t, hf, hfName(family, name))
			assert.Equal(t, want.Shape(), x.Shape(), name)
			values, err := want.Float32()
			require.NoError(t, err)
			values, changed := convert(t, f, family, name, values, x.Shape())
			got, err := x.Float32()
			require.NoError(t, err)
			assertBits(t, name, values, got)
			for _, c := range changed {
				seen[c] = true
			}
			tally.Compared(1)
		}
		assert.Equal(t, family == "llama" && exactFile(f), seen["interleaved"])
		assert.Equal(t, family == "gemma3", seen["norm+1"])
	})
}

func exactFile(f *gguf.File) bool {
	x, err := f.Tensor("blk.0.attn_q.weight")
	return err == nil && exact[x.Type()]
}

func hfTensor(t *testing.T, f *safetensors.Folder, name string) safetensors.Tensor {
	t.Helper()
	x, err := f.Tensor(name)
	require.NoError(t, err)
	return x
}

// convert applies what the converter does to one tensor.
func convert(t *testing.T, f *gguf.File, family, name string, v []float32, shape []int) ([]float32, []string) {
	t.Helper()
	switch {
	case family == "llama" && rotated.MatchString(name):
		key := "llama.attention.head_count"
		if strings.Contains(name, "attn_k") {
			key += "_kv"
		}
		heads, err := f.Uint(key)
		require.NoError(t, err)
		out := interleave(v, int(heads), shape[1])
		assert.NotEqual(t, v, out)
		return out, []string{"interleaved"}
	case family == "gemma3" && norm.MatchString(name):
		for i := range v {
			v[i]++
		}
		return v, []string{"norm+1"}
	}
	return v, nil
}

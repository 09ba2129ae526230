package auto

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gguf"
	"github.com/posttrain/posttrain/tensor/safetensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tinyLlama is a config.json of a very small model.
const tinyLlama = `{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 20, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
 "max_position_embeddings": 64, "rms_norm_eps": 1e-05, "tie_word_embeddings": false, "bos_token_id": 1, "eos_token_id": [2, 3],
 "a_field_of_the_future": "kept"}`

// tinyFolder saves a random model and returns its folder.
func tinyFolder(t *testing.T, config string) string {
	t.Helper()
	m, err := New([]byte(config), model.Random{Seed: 1}, model.LoadOptions{})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, Save(dir, &Checkpoint{Model: m}, SaveOptions{}))
	return dir
}

// rewrite replaces the weights of a folder by what change makes of them.
func rewrite(t *testing.T, dir string, change func(name string, data []float32, shape []int) (string, []float32, []int)) {
	t.Helper()
	folder, err := safetensors.OpenFolder(dir)
	require.NoError(t, err)
	var infos []safetensors.Info
	var all [][]float32
	for name, x := range folder.Tensors() {
		data, err := x.Float32()
		require.NoError(t, err)
		name, data, shape := change(name, data, x.Shape())
		if name != "" {
			infos, all = append(infos, safetensors.Info{Name: name, Dtype: safetensors.F32, Shape: shape}), append(all, data)
		}
	}
	require.NoError(t, folder.Close())
	w, err := safetensors.CreateFolder(dir, infos, safetensors.FolderOptions{})
	require.NoError(t, err)
	for i, info := range infos {
		require.NoError(t, w.WriteFloat32(info.Name, all[i]))
	}
	require.NoError(t, w.Close())
}

func TestOpenReportsEveryFaultOfTheWeightsAtOnce(t *testing.T) {
	dir := tinyFolder(t, tinyLlama)
	rewrite(t, dir, func(name string, data []float32, shape []int) (string, []float32, []int) {
		switch name {
		case "model.layers.0.self_attn.q_proj.weight", "model.norm.weight":
			return "", nil, nil
		case "model.layers.1.mlp.up_proj.weight":
			return name, data, []int{shape[1], shape[0]}
		case "model.layers.1.input_layernorm.weight":
			data[5] = float32(math.NaN())
		case "lm_head.weight":
			data[7] = float32(math.Inf(1))
		}
		return name, data, shape
	})
	_, err := Open(dir, Options{NoTokenizer: true})
	require.ErrorIs(t, err, model.ErrMissingWeight)
	require.ErrorIs(t, err, model.ErrBadWeight)
	for _, want := range []string{
		dir, "model.layers.0.self_attn.q_proj.weight, want shape [16 16]", "model.norm.weight",
		"model.layers.1.mlp.up_proj.weight has shape [16 24], want [24 16]",
		"model.layers.1.input_layernorm.weight holds a NaN or an infinity at element 5", "lm_head.weight holds a NaN or an infinity at element 7",
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestOpenRefusesWeightsThatWouldBeLeftOut(t *testing.T) {
	dir := tinyFolder(t, tinyLlama)
	rename := func(from, to string) {
		rewrite(t, dir, func(name string, data []float32, shape []int) (string, []float32, []int) {
			return strings.Replace(name, from, to, 1), data, shape
		})
	}
	config := strings.Replace(tinyLlama, `"tie_word_embeddings": false`, `"tie_word_embeddings": true`, 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, configFile), []byte(config), 0o600))
	_, err := Open(dir, Options{NoTokenizer: true})
	require.NoError(t, err, "a copy of a tied head is no loss")

	rename("lm_head", "score")
	_, err = Open(dir, Options{NoTokenizer: true})
	require.ErrorIs(t, err, model.ErrUnusedWeight)
	assert.ErrorContains(t, err, "score.weight")
	_, err = Open(dir, Options{NoTokenizer: true, IgnoreUnused: true})
	require.NoError(t, err)

	rename("score.weight", "model.layers.0.self_attn.rotary_emb.inv_freq")
	_, err = Open(dir, Options{NoTokenizer: true})
	require.NoError(t, err, "rotary tables are computed")

	rename("model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.0.self_attn.q_proj.bias")
	_, err = Open(dir, Options{NoTokenizer: true})
	require.ErrorIs(t, err, model.ErrBadWeight)
	assert.ErrorContains(t, err, "no bias there")
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	write := func(name, content string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
		}
	}
	edit := func(from, to string) func(t *testing.T, dir string) {
		require.Contains(t, tinyLlama, from)
		return write(configFile, strings.Replace(tinyLlama, from, to, 1))
	}
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		is     error
		want   string
	}{
		"unknown family":    {edit(`"llama"`, `"mamba"`), ErrUnsupported, `config.json: model_type: got "mamba", want one of llama, mistral, qwen2`},
		"no family":         {write(configFile, `{}`), ErrUnsupported, `config.json: model_type: got ""`},
		"not JSON":          {write(configFile, `{"model_type": `), model.ErrConfig, "config.json"},
		"wrong type":        {edit(`"vocab_size": 20`, `"vocab_size": "20"`), model.ErrConfig, "vocab_size"},
		"negative size":     {edit(`"hidden_size": 16`, `"hidden_size": -16`), model.ErrConfig, "hidden_size is -16, want 1 to"},
		"huge size":         {edit(`"num_hidden_layers": 2`, `"num_hidden_layers": 2000000000`), model.ErrConfig, "num_hidden_layers"},
		"wrong layers":      {edit(`"num_hidden_layers": 2`, `"num_hidden_layers": 3`), model.ErrMissingWeight, "model.layers.2.self_attn.q_proj.weight"},
		"fewer layers":      {edit(`"num_hidden_layers": 2`, `"num_hidden_layers": 1`), model.ErrUnusedWeight, "model.layers.1."},
		"activation":        {edit(`"vocab_size"`, `"hidden_act": "tanhshrink", "vocab_size"`), model.ErrConfig, "tanhshrink"},
		"rope":              {edit(`"vocab_size"`, `"rope_scaling": {"type": "spiral", "factor": 2}, "vocab_size"`), tensor.ErrRoPE, "spiral"},
		"quantised":         {edit(`"vocab_size"`, `"quantization_config": {"quant_method": "gptq"}, "vocab_size"`), ErrUnsupported, "quantization_config"},
		"eos":               {edit(`[2, 3]`, `"two"`), model.ErrConfig, "eos_token_id"},
		"generation":        {write(generationFile, `{"eos_token_id": {}}`), model.ErrConfig, generationFile},
		"corrupt weights":   {write("model.safetensors", "\x08\x00\x00\x00\x00\x00\x00\x00{broken}"), nil, "model.safetensors"},
		"truncated weights": {truncate, nil, "model.safetensors"},
		"no weights":        {remove("model.safetensors"), nil, "model.safetensors"},
		"no config":         {remove(configFile), os.ErrNotExist, configFile},
		"pickle":            {pickle, nil, "pickle"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tinyFolder(t, tinyLlama)
			c.damage(t, dir)
			_, err := Open(dir, Options{NoTokenizer: true})
			require.Error(t, err)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			assert.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, dir)
		})
	}
}

func remove(name string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, name))) }
}

func truncate(t *testing.T, dir string) {
	path := filepath.Join(dir, "model.safetensors")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, info.Size()-8))
}

func pickle(t *testing.T, dir string) {
	require.NoError(t, os.Rename(filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "pytorch_model.bin")))
}

func TestOpenRefusesOtherFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.bin")
	_, err := Open(path, Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	_, err = Open(path, Options{})
	require.ErrorIs(t, err, ErrUnsupported)
	assert.ErrorContains(t, err, "model.bin")
	path = filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(path, []byte("GGUF"), 0o600))
	_, err = Open(path, Options{})
	require.Error(t, err)
	assert.ErrorContains(t, err, "model.gguf")
}

// ggufBytes is a GGUF file with string and uint32 keys and no tensors.
func ggufBytes(keys [][2]any) []byte {
	var b bytes.Buffer
	str := func(s string) {
		binary.Write(&b, binary.LittleEndian, uint64(len(s)))
		b.WriteString(s)
	}
	b.WriteString("GGUF")
	binary.Write(&b, binary.LittleEndian, uint32(3))
	binary.Write(&b, binary.LittleEndian, uint64(0))
	binary.Write(&b, binary.LittleEndian, uint64(len(keys)))
	for _, k := range keys {
		str(k[0].(string))
		switch v := k[1].(type) {
		case string:
			binary.Write(&b, binary.LittleEndian, uint32(8))
			str(v)
		case float32:
			binary.Write(&b, binary.LittleEndian, uint32(6))
			binary.Write(&b, binary.LittleEndian, v)
		case uint32:
			binary.Write(&b, binary.LittleEndian, uint32(4))
			binary.Write(&b, binary.LittleEndian, v)
		}
	}
	return append(b.Bytes(), make([]byte, (32-b.Len()%32)%32)...)
}

func TestOpenGGUFNamesWhatIsWrong(t *testing.T) {
	open := func(keys ...[2]any) error {
		path := filepath.Join(t.TempDir(), "m.gguf")
		require.NoError(t, os.WriteFile(path, ggufBytes(keys), 0o600))
		_, err := Open(path, Options{NoTokenizer: true})
		return err
	}
	assert.ErrorContains(t, open(), "general.architecture")
	err := open([2]any{"general.architecture", "rwkv7"})
	require.ErrorIs(t, err, ErrUnsupported)
	assert.ErrorContains(t, err, `"rwkv7", want one of llama, qwen2, qwen3, gemma3`)
	err = open([2]any{"general.architecture", "llama"}, [2]any{"llama.block_count", "two"})
	require.ErrorIs(t, err, model.ErrConfig)
	for _, want := range []string{"llama.block_count", "llama.embedding_length", "llama.attention.layer_norm_rms_epsilon", "token_embd.weight"} {
		assert.ErrorContains(t, err, want)
	}
}

func TestGGUFScalingOfRotaryPositions(t *testing.T) {
	for name, c := range map[string]struct {
		keys [][2]any
		want any
	}{
		"none":   {nil, nil},
		"none 2": {[][2]any{{"x.rope.scaling.type", "none"}}, nil},
		"linear": {[][2]any{{"x.rope.scaling.type", "linear"}, {"x.rope.scaling.factor", float32(8)}}, map[string]any{"rope_type": "linear", "factor": 8.0}},
		"old":    {[][2]any{{"x.rope.scale_linear", float32(2.5)}}, map[string]any{"rope_type": "linear", "factor": 2.5}},
		"yarn": {
			[][2]any{
				{"x.rope.scaling.type", "yarn"}, {"x.rope.scaling.factor", float32(4)}, {"x.rope.scaling.original_context_length", uint32(512)},
				{"x.rope.scaling.yarn_beta_fast", float32(32.1)},
			},
			map[string]any{"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": int64(512), "beta_fast": 32.1},
		},
	} {
		f, err := gguf.Parse(name, ggufBytes(c.keys))
		require.NoError(t, err)
		fields := map[string]any{}
		require.NoError(t, ggufRoPE(f, "x.", fields))
		assert.Equal(t, c.want, fields["rope_scaling"], name)
	}
	for want, keys := range map[string][][2]any{
		"longrope":              {{"x.rope.scaling.type", "longrope"}, {"x.rope.scaling.factor", float32(8)}},
		"x.rope.scaling.type":   {{"x.rope.scaling.type", uint32(1)}},
		"x.rope.scaling.factor": {{"x.rope.scaling.type", "yarn"}},
		"NaN":                   {{"x.rope.scaling.type", "yarn"}, {"x.rope.scaling.factor", float32(math.NaN())}},
	} {
		f, err := gguf.Parse("file", ggufBytes(keys))
		require.NoError(t, err)
		assert.ErrorContains(t, ggufRoPE(f, "x.", map[string]any{}), want)
	}
}

func TestGenerationConfigListsEveryEnd(t *testing.T) {
	dir := tinyFolder(t, tinyLlama)
	require.NoError(t, os.WriteFile(filepath.Join(dir, generationFile), []byte(`{"eos_token_id": [4, 2], "pad_token_id": 0}`), 0o600))
	c, err := Open(dir, Options{NoTokenizer: true})
	require.NoError(t, err)
	config := c.Model.Config()
	assert.Equal(t, []int32{4, 2}, config.EOS)
	assert.EqualValues(t, 1, config.BOS)
	assert.EqualValues(t, 0, config.PAD)
}

func TestFamiliesAreDistinctAndComplete(t *testing.T) {
	types, architectures := map[string]bool{}, map[string]bool{}
	for _, f := range Families() {
		assert.False(t, types[f.ModelType], f.ModelType)
		types[f.ModelType] = true
		assert.NotEmpty(t, f.Class, f.ModelType)
		assert.NotNil(t, f.New, f.ModelType)
		if f.GGUF != nil {
			assert.False(t, architectures[f.GGUF.Architecture], f.GGUF.Architecture)
			architectures[f.GGUF.Architecture] = true
		}
	}
	for _, want := range []string{"llama", "mistral", "qwen2", "qwen3", "gemma3_text"} {
		assert.True(t, types[want], want)
	}
}

func TestDivisorsThatNoRuleExplainsAreKept(t *testing.T) {
	divisors := []float32{1, 1.5, 1.2, 7}
	s := divisorScaling(divisors, map[string]any{"rope_theta": 10000.0, "max_position_embeddings": int64(100)})
	assert.Equal(t, "longrope", s["rope_type"])
	raw, err := json.Marshal(map[string]any{
		"model_type": "llama", "vocab_size": 4, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
		"max_position_embeddings": 100, "rope_scaling": s,
	})
	require.NoError(t, err)
	c, _, err := ParseConfig(raw)
	require.NoError(t, err)
	for _, length := range []int{0, 50, 1000} {
		got, scale, err := tensor.RoPEFrequencies(c.RoPE, 8, length)
		require.NoError(t, err)
		assert.Equal(t, 1.0, scale)
		for i, d := range divisors {
			assert.InEpsilon(t, math.Pow(10000, -float64(i)/4)/float64(d), got[i], 1e-7) // divisors are float32
		}
	}
}

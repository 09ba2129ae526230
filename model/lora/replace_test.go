package lora_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// qwenConfig describes a tiny model with biases and a tied head.
const qwenConfig = `{"model_type":"qwen2","vocab_size":50,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":2,
	"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":64,"hidden_act":"silu","tie_word_embeddings":true}`

// replacing replaces parameters of every kind of layer.
var replacing = lora.Config{Rank: 2, Targets: []string{"q_proj", "up_proj"}, ModulesToSave: []string{"embed_tokens", "lm_head", "norm", "layers.1.self_attn.v_proj"},
	Biases: lora.AllBiases, Seed: 5}

func TestReplacedParameters(t *testing.T) {
	m := tiny(t, qwenConfig, tensor.Float32)
	before := compute(t, m, "")
	a, err := lora.Attach(m, "a", replacing)
	require.NoError(t, err)
	require.True(t, a.Zero())
	require.Equal(t, before, compute(t, m, "a"), "copies compute the same")
	var names []string
	for name, p := range a.Params() {
		require.True(t, p.Trainable(), name)
		names = append(names, name)
	}
	for _, want := range []string{"model.embed_tokens.weight.a", "lm_head.weight.a", "model.norm.weight.a", "model.layers.0.input_layernorm.weight.a",
		"model.layers.1.self_attn.v_proj.weight.a", "model.layers.1.self_attn.v_proj.bias.a", "model.layers.0.self_attn.k_proj.bias.a", "model.layers.0.self_attn.q_proj.bias.a"} {
		require.Contains(t, names, want)
	}
	require.Len(t, names, 2*2*2+2+5+2+5, "A and B, embedding and head, norms, one layer, and biases of q, k and v")

	b, err := a.Clone("b")
	require.NoError(t, err)
	scramble(b)
	require.False(t, b.Zero())
	withB := compute(t, m, "b")
	require.NotEqual(t, before.Logits, withB.Logits)
	require.Equal(t, before, compute(t, m, ""), "the base is computed bit for bit")
	require.Equal(t, before, compute(t, m, "a"), "and so is another adapter")
	c, err := b.Clone("c")
	require.NoError(t, err)
	for _, p := range b.Params() {
		p.Set(make([]float64, p.Len()))
	}
	require.Equal(t, withB, compute(t, m, "c"), "a copy does not follow the original")
	require.NoError(t, c.SetTrainable(false))
	c.Remove()
	require.Equal(t, before, compute(t, m, "c"))
	_, err = c.Merge()
	require.ErrorIs(t, err, lora.ErrDetached)
}

// TestZeroSeesEveryParameter changes one parameter at a time.
func TestZeroSeesEveryParameter(t *testing.T) {
	m := tiny(t, qwenConfig, tensor.Float64)
	c := replacing
	c.BiasOnB, c.Targets = true, []string{"q_proj"}
	a, err := lora.Attach(m, "a", c)
	require.NoError(t, err)
	for name, p := range a.Params() {
		old := p.Data64()[3]
		p.Data64()[3]++
		require.Equal(t, strings.Contains(name, "lora_A"), a.Zero(), "%s: B is zero, so A does not count", name)
		p.Data64()[3] = old
		require.True(t, a.Zero(), name)
	}
}

func TestReplacedParametersSurviveAFile(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		m, dir := tiny(t, qwenConfig, dt), t.TempDir()
		c := replacing
		c.BiasOnB, c.Layers, c.LayersPattern = true, []int{1}, []string{"layers"}
		a, err := lora.Attach(m, "a", c)
		require.NoError(t, err)
		scramble(a)
		require.NoError(t, a.Save(dir, ""))
		b, err := lora.Load(m, "b", dir)
		require.NoError(t, err)
		want := a.Config()
		want.Seed = 0 // not in a file
		require.Equal(t, want, b.Config())
		require.Equal(t, compute(t, m, "a"), compute(t, m, "b"))
		for _, p := range a.Params() {
			p.Set(make([]float64, p.Len()))
		}
		require.NoError(t, a.Restore(dir))
		require.Equal(t, compute(t, m, "b"), compute(t, m, "a"))
	}
	m, dir := tiny(t, qwenConfig, tensor.Float32), t.TempDir()
	a, err := lora.Attach(m, "a", replacing)
	require.NoError(t, err)
	require.NoError(t, a.Save(dir, ""))
	names := slices.Collect(func(yield func(string) bool) {
		for name := range tensors(t, dir) {
			yield(strings.TrimPrefix(name, "base_model.model."))
		}
	})
	for _, want := range []string{"lm_head.weight", "model.embed_tokens.weight", "model.norm.weight", "model.layers.0.self_attn.q_proj.base_layer.bias",
		"model.layers.0.self_attn.k_proj.bias", "model.layers.1.self_attn.v_proj.bias", "model.layers.0.post_attention_layernorm.weight"} {
		require.Contains(t, names, want, "PEFT's names")
	}
}

// TestReplacingIsHavingOtherWeights: outputs and gradients are bit for bit those
// of a model with the replaced weights. B is zero, so that merging the rest is
// exact.
func TestReplacingIsHavingOtherWeights(t *testing.T) {
	m := tiny(t, qwenConfig, tensor.Float32)
	a, err := lora.Attach(m, "a", replacing)
	require.NoError(t, err)
	scramble(a)
	for name, p := range a.Params() {
		if strings.HasSuffix(name, "lora_B.a") {
			p.Set(make([]float64, p.Len()))
		}
	}
	options := modeltest.PassOptions{Adapter: "a", Logits: true, Weights: ones(tinyRows)}
	active, err := modeltest.Compute(trained{m, a}, tinyRows, options)
	require.NoError(t, err)
	report, err := a.Merge()
	require.NoError(t, err)
	require.True(t, report.Untied)
	for _, p := range m.Params() {
		require.NoError(t, p.SetTrainable(true))
	}
	merged, err := modeltest.Compute(m, tinyRows, options)
	require.NoError(t, err)
	require.Equal(t, active.Logits, merged.Logits)
	compared := 0
	for name, want := range merged.Grads {
		if got, ok := active.Grads[name+".a"]; ok {
			require.Equal(t, want, got, name)
			compared++
		}
	}
	require.Equal(t, 2+5+2+5, compared)
}

// TestMergingUntiesAHead: a copy of one of embedding and head leaves the other as
// it was, with and without a low-rank update of that other.
func TestMergingUntiesAHead(t *testing.T) {
	const embed, head = "model.embed_tokens.weight", "lm_head.weight"
	for _, c := range []struct {
		saved, target string
		changed       []string
	}{
		{"embed_tokens", "layers.0.self_attn.q_proj", []string{embed, head}},
		{"lm_head", "layers.0.self_attn.q_proj", []string{head}},
		{"embed_tokens", "lm_head", []string{embed, head}},
		{"lm_head", "embed_tokens", []string{embed, head}},
	} {
		m := tiny(t, gemmaConfig, tensor.Float64)
		other, err := lora.Attach(m, "other", lora.Config{Rank: 2, Targets: []string{"lm_head"}})
		require.NoError(t, err)
		scramble(other)
		a, err := lora.Attach(m, "a", lora.Config{Rank: 2, Targets: []string{c.target}, ModulesToSave: []string{c.saved}})
		require.NoError(t, err)
		scramble(a)
		active := compute(t, m, "a")
		report, err := a.Merge()
		require.NoError(t, err)
		require.True(t, report.Untied)
		require.Empty(t, report.Shared)
		for _, name := range c.changed {
			require.Contains(t, report.Changed, name)
		}
		require.False(t, m.Config().TieWordEmbeddings)
		require.Equal(t, "lm_head.weight", m.Head().Name())
		merged := compute(t, m, "")
		require.InDeltaSlice(t, active.Logits, merged.Logits, 1e-11)

		dir := filepath.Join(t.TempDir(), "merged")
		require.NoError(t, auto.Save(dir, &auto.Checkpoint{Model: m}, auto.SaveOptions{Dtype: tensor.Float32}))
		again, err := auto.Open(dir, auto.Options{NoTokenizer: true})
		require.NoError(t, err)
		require.False(t, again.Model.Config().TieWordEmbeddings)
		require.Equal(t, m.Head().Float32s(), again.Model.Head().Float32s())
		require.Equal(t, m.Embedding().Weight.Float32s(), again.Model.Embedding().Weight.Float32s())

		withOther := compute(t, m, "other")
		_, err = other.Merge()
		require.NoError(t, err)
		require.InDeltaSlice(t, withOther.Logits, compute(t, m, "").Logits, 1e-11, "an older adapter follows the new head")
		require.Equal(t, merged.Hidden, compute(t, m, "").Hidden, "and leaves the embedding alone")
	}
}

func TestWhatCannotBeMergedSaysSo(t *testing.T) {
	m := tiny(t, qwenConfig, tensor.Float32)
	a, err := lora.Attach(m, "a", lora.Config{Rank: 2, Targets: []string{"q_proj", "o_proj"}, BiasOnB: true})
	require.NoError(t, err)
	scramble(a)
	before := weights(m)
	_, err = a.Merge()
	require.ErrorIs(t, err, lora.ErrMerge)
	require.ErrorContains(t, err, `"a" has a bias on B (lora_bias) at model.layers.0.self_attn.o_proj, which has no bias`)
	require.ErrorContains(t, err, "layers.1.self_attn.o_proj", "all faults are reported")
	b, err := lora.Attach(struct{ model.Model }{m}, "b", lora.Config{Rank: 2, ModulesToSave: []string{"lm_head"}})
	require.NoError(t, err)
	_, err = b.Merge()
	require.ErrorIs(t, err, lora.ErrMerge)
	require.ErrorContains(t, err, "cannot be untied")
	require.Equal(t, before, weights(m))
}

func TestBiasOnB(t *testing.T) {
	m := tiny(t, qwenConfig, tensor.Float64)
	before := compute(t, m, "")
	a, err := lora.Attach(m, "a", lora.Config{Rank: 2, Targets: []string{"q_proj", "v_proj"}, BiasOnB: true, Biases: lora.TargetBiases})
	require.NoError(t, err)
	require.InDeltaSlice(t, before.Logits, compute(t, m, "a").Logits, 0, "the bias begins as zero")
	scramble(a)
	active := compute(t, m, "a")
	require.NotEqual(t, before.Logits, active.Logits)
	_, err = a.Merge()
	require.NoError(t, err)
	require.InDeltaSlice(t, active.Logits, compute(t, m, "").Logits, 1e-12)

	_, err = lora.Attach(m, "b", lora.Config{Targets: []string{lora.AllLinear, "embed_tokens", "lm_head"}, BiasOnB: true})
	require.ErrorIs(t, err, lora.ErrConfig)
	require.ErrorContains(t, err, "a bias on B (lora_bias) of model.embed_tokens")
	require.ErrorContains(t, err, "of lm_head")
}

func TestAttachNamesUnknownModules(t *testing.T) {
	m := tiny(t, qwenConfig, tensor.Float32)
	_, err := lora.Attach(m, "a", lora.Config{Targets: []string{"q_proj", "c_attn", "norm"}, ModulesToSave: []string{"mlp", "embed_tokens"}})
	require.ErrorIs(t, err, lora.ErrNoTarget)
	for _, want := range []string{`"c_attn"`, `"norm"`, `module to save "mlp"`} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "embed_tokens")
}

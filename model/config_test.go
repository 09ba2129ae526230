package model_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withFields is a small config.json with more fields.
func withFields(fields string) []byte {
	return []byte(`{"model_type": "x", "vocab_size": 10, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 4,
		"num_attention_heads": 2, "max_position_embeddings": 64` + fields + `}`)
}

func parse(t *testing.T, fields string, d model.Defaults) *model.Config {
	t.Helper()
	c, err := model.ParseConfig(withFields(fields), d)
	require.NoError(t, err)
	return c
}

func TestParseConfigFillsDefaults(t *testing.T) {
	c := parse(t, "", model.Defaults{})
	assert.Equal(t, 2, c.NumKeyValueHeads)
	assert.Equal(t, 8, c.HeadDim)
	assert.Equal(t, 1e-6, c.RMSNormEps)
	assert.Equal(t, "silu", c.HiddenAct)
	assert.False(t, c.TieWordEmbeddings)
	assert.EqualValues(t, -1, c.BOS)
	assert.EqualValues(t, -1, c.PAD)
	assert.Empty(t, c.EOS)
	d := model.Defaults{TieWordEmbeddings: true, HeadDim: 6, RMSNormEps: 1e-5, HiddenAct: "gelu", QueryScale: 3, AttentionBias: true}
	c = parse(t, "", d)
	assert.True(t, c.TieWordEmbeddings)
	assert.True(t, c.AttentionBias)
	assert.Equal(t, 6, c.HeadDim)
	assert.Equal(t, 1e-5, c.RMSNormEps)
	assert.Equal(t, "gelu", c.HiddenAct)
	assert.Equal(t, 3.0, c.QueryScale)
	c = parse(t, `, "tie_word_embeddings": false, "head_dim": 4, "rms_norm_eps": 0.001, "hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu",
		"attention_bias": false, "query_pre_attn_scalar": 7`, d)
	assert.False(t, c.TieWordEmbeddings)
	assert.False(t, c.AttentionBias)
	assert.Equal(t, 4, c.HeadDim)
	assert.Equal(t, "gelu_pytorch_tanh", c.HiddenAct, "hidden_activation goes first")
	assert.Equal(t, 7.0, c.QueryScale)
}

func TestParseConfigReadsBothLayoutsOfRotaryPositions(t *testing.T) {
	limits := tensor.RoPEScaling{MaxPositionEmbeddings: 64}
	with := func(change func(s *tensor.RoPEScaling)) tensor.RoPEScaling {
		s := limits
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		fields      string
		defaults    model.Defaults
		full, local tensor.RoPEScaling
	}{
		"nothing": {full: limits, local: limits},
		"theta, version 4": {
			fields: `, "rope_theta": 500000.0, "rope_scaling": null`,
			full:   with(func(s *tensor.RoPEScaling) { s.Theta = 5e5 }), local: with(func(s *tensor.RoPEScaling) { s.Theta = 5e5 }),
		},
		"theta of the family": {
			defaults: model.Defaults{RopeTheta: 1e6, LocalRopeTheta: 1e4},
			full:     with(func(s *tensor.RoPEScaling) { s.Theta = 1e6 }), local: with(func(s *tensor.RoPEScaling) { s.Theta = 1e4 }),
		},
		"old name of the type": {
			fields: `, "rope_theta": 100, "rope_scaling": {"type": "linear", "factor": 4}`,
			full:   with(func(s *tensor.RoPEScaling) { s.Theta, s.Type, s.Factor = 100, "linear", 4 }),
			local:  with(func(s *tensor.RoPEScaling) { s.Theta, s.Type, s.Factor = 100, "linear", 4 }),
		},
		"yarn, version 5": {
			fields: `, "rope_parameters": {"rope_theta": 100.0, "rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32,
				"beta_fast": 16, "beta_slow": 2, "mscale": 0.5, "mscale_all_dim": 0.6, "truncate": false, "attention_factor": 1.5}`,
			full: with(func(s *tensor.RoPEScaling) {
				*s = tensor.RoPEScaling{Type: "yarn", Theta: 100, Factor: 2, MaxPositionEmbeddings: 64, OriginalMaxPositionEmbeddings: 32,
					BetaFast: 16, BetaSlow: 2, MScale: 0.5, MScaleAllDim: 0.6, NoTruncate: true, AttentionFactor: 1.5}
			}),
			local: with(func(s *tensor.RoPEScaling) {
				*s = tensor.RoPEScaling{Type: "yarn", Theta: 100, Factor: 2, MaxPositionEmbeddings: 64, OriginalMaxPositionEmbeddings: 32,
					BetaFast: 16, BetaSlow: 2, MScale: 0.5, MScaleAllDim: 0.6, NoTruncate: true, AttentionFactor: 1.5}
			}),
		},
		"per layer type, version 5": {
			fields: `, "rope_parameters": {"full_attention": {"rope_theta": 1000000.0, "rope_type": "linear", "factor": 8.0},
				"sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}}`,
			full:  with(func(s *tensor.RoPEScaling) { s.Theta, s.Type, s.Factor = 1e6, "linear", 8 }),
			local: with(func(s *tensor.RoPEScaling) { s.Theta = 1e4 }),
		},
		"a local base, version 4": {
			fields: `, "rope_theta": 1000000.0, "rope_local_base_freq": 20000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}`,
			full:   with(func(s *tensor.RoPEScaling) { s.Theta, s.Type, s.Factor = 1e6, "linear", 8 }),
			local:  with(func(s *tensor.RoPEScaling) { s.Theta = 2e4 }),
		},
		"longrope by its first name, length and share outside": {
			fields: `, "original_max_position_embeddings": 32, "partial_rotary_factor": 0.5,
				"rope_scaling": {"type": "su", "short_factor": [1, 2], "long_factor": [3, 4]}`,
			full: with(func(s *tensor.RoPEScaling) {
				s.Type, s.OriginalMaxPositionEmbeddings, s.PartialRotaryFactor = "longrope", 32, 0.5
				s.ShortFactor, s.LongFactor = []float64{1, 2}, []float64{3, 4}
			}),
			local: with(func(s *tensor.RoPEScaling) {
				s.Type, s.OriginalMaxPositionEmbeddings, s.PartialRotaryFactor = "longrope", 32, 0.5
				s.ShortFactor, s.LongFactor = []float64{1, 2}, []float64{3, 4}
			}),
		},
		"llama3": {
			fields: `, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}`,
			full: with(func(s *tensor.RoPEScaling) {
				s.Type, s.Factor, s.LowFreqFactor, s.HighFreqFactor, s.OriginalMaxPositionEmbeddings = "llama3", 8, 1, 4, 32
			}),
			local: with(func(s *tensor.RoPEScaling) {
				s.Type, s.Factor, s.LowFreqFactor, s.HighFreqFactor, s.OriginalMaxPositionEmbeddings = "llama3", 8, 1, 4, 32
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := parse(t, c.fields, c.defaults)
			assert.Equal(t, c.full, got.RoPE)
			assert.Equal(t, c.local, got.LocalRoPE)
		})
	}
}

func TestParseConfigSettlesWhichLayersSlide(t *testing.T) {
	for name, c := range map[string]struct {
		fields   string
		defaults model.Defaults
		window   int
		sliding  string // one letter a layer
	}{
		"none":                        {"", model.Defaults{}, 0, "ffff"},
		"all":                         {`, "sliding_window": 8`, model.Defaults{}, 8, "ssss"},
		"the family's":                {"", model.Defaults{SlidingWindow: 7}, 7, "ssss"},
		"null beats the family's":     {`, "sliding_window": null`, model.Defaults{SlidingWindow: 7}, 0, "ffff"},
		"off by default":              {`, "sliding_window": 8`, model.Defaults{WindowOff: true}, 0, "ffff"},
		"turned on":                   {`, "sliding_window": 8, "use_sliding_window": true`, model.Defaults{WindowOff: true}, 8, "ssss"},
		"turned off":                  {`, "sliding_window": 8, "use_sliding_window": false`, model.Defaults{}, 0, "ffff"},
		"from a layer on":             {`, "sliding_window": 8, "max_window_layers": 3`, model.Defaults{}, 8, "fffs"},
		"from a layer on, by default": {`, "sliding_window": 8`, model.Defaults{FullLayers: 1}, 8, "fsss"},
		"every second is full":        {`, "sliding_window": 8, "sliding_window_pattern": 2`, model.Defaults{SlidingPattern: 3}, 8, "sfsf"},
		"every third is full":         {`, "sliding_window": 8`, model.Defaults{SlidingPattern: 3}, 8, "ssfs"},
		"the newer name":              {`, "sliding_window": 8, "_sliding_window_pattern": 2`, model.Defaults{}, 8, "sfsf"},
		"listed":                      {`, "sliding_window": 8, "layer_types": ["full_attention","sliding_attention","sliding_attention","full_attention"]`, model.Defaults{SlidingPattern: 2}, 8, "fssf"},
		"listed, but no window":       {`, "layer_types": ["full_attention","sliding_attention","sliding_attention","full_attention"]`, model.Defaults{}, 0, "ffff"},
	} {
		t.Run(name, func(t *testing.T) {
			got := parse(t, c.fields, c.defaults)
			assert.Equal(t, c.window, got.SlidingWindow)
			kinds := ""
			for i := range got.NumHiddenLayers {
				kinds += map[bool]string{true: "s", false: "f"}[got.Sliding(i)]
			}
			assert.Equal(t, c.sliding, kinds)
		})
	}
}

func TestParseConfigReadsTokenIDs(t *testing.T) {
	c := parse(t, `, "bos_token_id": 3, "eos_token_id": [4, 5], "pad_token_id": null`, model.Defaults{})
	assert.EqualValues(t, 3, c.BOS)
	assert.Equal(t, []int32{4, 5}, c.EOS)
	assert.EqualValues(t, -1, c.PAD)
	c = parse(t, `, "eos_token_id": 4`, model.Defaults{})
	assert.Equal(t, []int32{4}, c.EOS)
}

func TestParseConfigReportsEveryFault(t *testing.T) {
	raw := []byte(`{"vocab_size": 0, "hidden_size": 16, "intermediate_size": 1000000000, "num_hidden_layers": 2, "num_attention_heads": 3,
		"num_key_value_heads": 2, "head_dim": 5, "rms_norm_eps": 2, "eos_token_id": "x", "sliding_window": -4, "layer_types": ["full", "full_attention", "full_attention"]}`)
	_, err := model.ParseConfig(raw, model.Defaults{})
	require.ErrorIs(t, err, model.ErrConfig)
	for _, want := range []string{
		"vocab_size is 0", "intermediate_size is 1000000000, want 1 to", "num_attention_heads 3 is no multiple of num_key_value_heads 2",
		"head_dim is 5, want an even number", "rms_norm_eps is 2", "eos_token_id", "sliding_window is -4", `layer_types[0] is "full"`, "3 entries for 2 layers",
	} {
		assert.ErrorContains(t, err, want)
	}
	for fields, want := range map[string]string{
		`, "rope_parameters": 3`:                                                       "rope_parameters",
		`, "rope_scaling": {"rope_type": "yarn", "factor": "4"}`:                       "rotary parameters",
		`, "rope_scaling": {"rope_type": "linear", "factor": -1}`:                      "factor is -1",
		`, "original_max_position_embeddings": 0.5`:                                    "original_max_position_embeddings is 0.5",
		`, "partial_rotary_factor": 3`:                                                 "partial_rotary_factor is 3",
		`, "sliding_window": "wide"`:                                                   "sliding_window",
		`, "rope_parameters": {"full_attention": {"rope_type": "helix", "factor": 1}}`: "helix",
	} {
		_, err := model.ParseConfig(withFields(fields), model.Defaults{})
		require.ErrorIs(t, err, model.ErrConfig, fields)
		assert.ErrorContains(t, err, want)
	}
	_, err = model.ParseConfig([]byte(strings.Repeat(" ", 5<<20)), model.Defaults{})
	assert.ErrorContains(t, err, "want at most")
}

func FuzzParseConfig(f *testing.F) {
	f.Add(withFields(""))
	f.Add(withFields(`, "rope_scaling": {"type": "longrope", "short_factor": [1,1,1,1], "long_factor": [2,2,2,2], "original_max_position_embeddings": 4}`))
	f.Add(withFields(`, "rope_parameters": {"full_attention": {"rope_type": "yarn", "factor": 2, "rope_theta": 1e300}, "sliding_attention": null}`))
	f.Add(withFields(`, "sliding_window": 8, "sliding_window_pattern": -1, "eos_token_id": [1, 2], "head_dim": 16384`))
	f.Add([]byte(`{"num_attention_heads": -1, "num_key_value_heads": 0, "num_hidden_layers": 9999999}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := model.ParseConfig(raw, model.Defaults{SlidingPattern: 6, LocalRopeTheta: 10})
		if err != nil {
			return
		}
		// What is accepted can be used: sizes fit, and angles are finite.
		require.NoError(t, c.Validate())
		for _, s := range []tensor.RoPEScaling{c.RoPE, c.LocalRoPE} {
			o, err := s.Options(c.HeadDim)
			require.NoError(t, err)
			for _, x := range o.InvFreq {
				require.False(t, math.IsNaN(x) || math.IsInf(x, 0), "%v", o.InvFreq)
			}
		}
		c.Sliding(c.NumHiddenLayers - 1)
	})
}

func ExampleParseConfig() {
	c, err := model.ParseConfig([]byte(`{"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
		"num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192,
		"rope_theta": 100000, "eos_token_id": 0}`), model.Defaults{})
	if err != nil {
		panic(err)
	}
	fmt.Println(c.HeadDim, c.RoPE.Theta, c.EOS)
	// Output: 64 100000 [0]
}

// TestParseConfigReadsNamesOfAFamily wants a family's own names of fields to stand
// for the usual ones, which go first, and a null for nothing.
func TestParseConfigReadsNamesOfAFamily(t *testing.T) {
	d := model.Defaults{IntermediateRatio: 4, PartialRotaryFactor: 0.5, Aliases: map[string]string{
		"n_embd": "hidden_size", "n_inner": "intermediate_size", "eps": "rms_norm_eps", "rotary_pct": "partial_rotary_factor",
	}}
	read := func(fields string) *model.Config {
		raw := []byte(`{"model_type": "x", "vocab_size": 10, "num_hidden_layers": 4, "num_attention_heads": 2` + fields + `}`)
		c, err := model.ParseConfig(raw, d)
		require.NoError(t, err)
		assert.Equal(t, string(raw), string(c.Raw), "as it was read")
		return c
	}
	c := read(`, "n_embd": 16, "n_inner": null, "eps": 0.25`)
	assert.Equal(t, []int{16, 64, 8}, []int{c.HiddenSize, c.IntermediateSize, c.HeadDim})
	assert.Equal(t, []float64{0.25, 0.5}, []float64{c.RMSNormEps, c.RoPE.PartialRotaryFactor})
	c = read(`, "n_embd": 16, "hidden_size": 32, "n_inner": 40, "rotary_pct": 0.25`)
	assert.Equal(t, []int{32, 40}, []int{c.HiddenSize, c.IntermediateSize})
	assert.Equal(t, 0.25, c.RoPE.PartialRotaryFactor)
	_, err := model.ParseConfig([]byte(`[]`), d)
	assert.ErrorIs(t, err, model.ErrConfig)
}

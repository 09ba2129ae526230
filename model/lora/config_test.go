package lora

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTargets(t *testing.T) {
	const q, up, embed, output = "model.layers.11.self_attn.q_proj", "model.layers.1.mlp.up_proj", "model.embed_tokens", "lm_head"
	for _, c := range []struct {
		why    string
		config Config
		want   []string
	}{
		{"default", Config{}, []string{q, up}},
		{"name", Config{Targets: []string{"q_proj"}}, []string{q}},
		{"whole path", Config{Targets: []string{q}}, []string{q}},
		{"part of a name is not the name", Config{Targets: []string{"proj", "layers", "_proj", "1.self_attn.q_proj"}}, nil},
		{"longer suffix", Config{Targets: []string{"11.self_attn.q_proj"}}, []string{q}},
		{"embedding and head by name", Config{Targets: []string{AllLinear, "embed_tokens", "lm_head"}}, []string{embed, q, up, output}},
		{"pattern matches the whole path", Config{TargetPattern: `.*\.q_proj`}, []string{q}},
		{"pattern of a part", Config{TargetPattern: `q_proj|.*up`}, nil},
		{"alternatives are one", Config{TargetPattern: `model|lm_head|.*up_proj`}, []string{up, output}},
		{"exclude", Config{Exclude: []string{"mlp.up_proj"}}, []string{q}},
		{"layers", Config{Targets: []string{AllLinear, "embed_tokens"}, Layers: []int{2, 11}}, []string{q}},
		{"layers after a name", Config{Layers: []int{1, 11}, LayersPattern: []string{"h", "lay.*"}}, []string{q, up}},
		{"layers after another name", Config{Layers: []int{1, 11}, LayersPattern: []string{"ayers"}}, nil},
		{"a whole path counts whatever its number", Config{Targets: []string{q, "up_proj", output}, Layers: []int{0}}, []string{q, output}},
		{"modules to save are not adapted", Config{Targets: []string{"q_proj", "up_proj", "embed_tokens"}, ModulesToSave: []string{"up_proj", "tokens"}}, []string{q}},
		{"exclude by pattern", Config{Targets: []string{"q_proj", "up_proj"}, ExcludePattern: `.*layers\.1\..*`}, []string{q}},
	} {
		m, err := newMatcher(c.config.withDefaults())
		require.NoError(t, err)
		var got []string
		for _, path := range []string{embed, q, up, output} {
			if m.adapts(path, map[string]kind{embed: embedding, output: head}[path]) {
				got = append(got, path)
			}
		}
		require.Equal(t, c.want, got, c.why)
	}
}

func TestPatternsCountInTheirOrder(t *testing.T) {
	const path = "model.layers.1.self_attn.q_proj"
	first := Config{Rank: 4, Alpha: 8, RankPattern: Patterns[int]{{"q_proj", 2}, {"layers.1.*", 16}}, AlphaPattern: Patterns[float64]{{"proj", 1}, {"^model.*", 3}}}
	m, err := newMatcher(first)
	require.NoError(t, err)
	rank, scale := m.size(path)
	require.Equal(t, 2, rank)
	require.Equal(t, 1.5, scale, "the key proj is no name, ^model.* matches")
	first.RankPattern[0], first.RankPattern[1] = first.RankPattern[1], first.RankPattern[0]
	first.RankStabilised = true
	m, err = newMatcher(first)
	require.NoError(t, err)
	rank, scale = m.size(path)
	require.Equal(t, 16, rank)
	require.Equal(t, 0.75, scale, "3/√16")
	rank, scale = m.size("lm_head")
	require.Equal(t, 4, rank)
	require.Equal(t, 4.0, scale, "8/√4")
}

func TestPatternsKeepTheirOrderInJSON(t *testing.T) {
	for _, text := range []string{`{"z":3,"a":1,"^m.*\\.b":2}`, `{}`} {
		var p Patterns[int]
		require.NoError(t, json.Unmarshal([]byte(text), &p))
		raw, err := json.Marshal(p)
		require.NoError(t, err)
		require.Equal(t, text, string(raw))
	}
	for text, want := range map[string]string{`{"a":1,"a":2}`: `key "a" comes twice`, `[1]`: "want an object", `{"a":"b"}`: `key "a": json`} {
		var p Patterns[int]
		require.ErrorContains(t, json.Unmarshal([]byte(text), &p), want)
	}
	c := Config{Rank: 3, Targets: []string{"x"}, RankPattern: Patterns[int]{{"z", 1}, {"y", 2}}, Seed: 9}
	raw, err := json.Marshal(c)
	require.NoError(t, err)
	var back Config
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, c.RankPattern, back.RankPattern)
	require.Equal(t, c.Targets, back.Targets)
}

func TestValidateReportsAllFaults(t *testing.T) {
	require.NoError(t, Config{}.Validate())
	err := Config{Rank: -1, Alpha: -2, Dropout: 1, Targets: []string{"a"}, TargetPattern: "(", Exclude: []string{"b"}, ExcludePattern: "[",
		RankPattern: Patterns[int]{{"q", 0}, {"*", 1}}, AlphaPattern: Patterns[float64]{{"q", 0}, {"(?=x)", 1}}}.Validate()
	require.ErrorIs(t, err, ErrConfig)
	for _, want := range []string{"rank is -1, want 1 to 65536", "alpha is -2", "dropout is 1", "both targets and a target pattern", "both excluded names",
		`rank pattern "q" is 0`, `alpha pattern "q" is 0`, "target pattern: error parsing regexp", "exclude pattern: error", `rank pattern "*": error`, `alpha pattern "(?=x)": error`} {
		require.ErrorContains(t, err, want)
	}
}

func TestParsePEFTRefusesByName(t *testing.T) {
	for field, want := range map[string]string{
		`"peft_type":"LOKR"`:               `peft_type: got "LOKR", which is not supported, want one of LORA, ADALORA, CURLORA, IA3, LOHA, TRAINABLE_TOKENS`,
		`"bias":"some"`:                    `bias: got "some": want "lora_only", "all" or none`,
		`"bias":7`:                         "bias: got 7",
		`"use_dora":true,"lora_bias":true`: "both a magnitude (use_dora) and a bias on B (lora_bias) are given",
		`"use_dora":"x"`:                   `use_dora: got "x"`,
		`"use_qalora":true`:                `use_qalora: got true, which is not supported, want null or false`,
		`"lora_bias":"x"`:                  `lora_bias: got "x"`,
		`"fan_in_fan_out":1`:               "fan_in_fan_out",
		`"modules_to_save":[""]`:           "a module to save has no name",
		`"modules_to_save":{}`:             "modules_to_save: got {}: want one of type string or a list",
		`"layers_to_transform":[1,-2]`:     "a layer is -2, want 0 or more",
		`"layers_to_transform":"1"`:        `layers_to_transform: got "1": want one of type int or a list`,
		`"layers_pattern":"h"`:             "a layers pattern is given without layers",
		`"layers_to_transform":1,"layers_pattern":["h","("]`: `layers pattern "(": error parsing regexp`,
		`"layers_to_transform":0,"target_modules":"a"`:       "both layers and a target pattern are given",
		`"layer_replication":[[0,2]]`:                        "layer_replication",
		`"trainable_token_indices":[1,2,1]`:                  "token 1 comes twice",
		`"trainable_token_indices":{"embed_tokens":[]}`:      `no tokens are given for "embed_tokens"`,
		`"trainable_token_indices":"x"`:                      `trainable_token_indices: got "x"`,
		`"target_parameters":["w"]`:                          "target_parameters",
		`"init_lora_weights":"pissa_niter_4"`:                "init_lora_weights",
		`"alora_invocation_tokens":[4]`:                      "alora_invocation_tokens",
		`"something_of_2031":{"on":true}`:                    "something_of_2031",
		`"r":0`:                                              "r is 0, want 1 to 65536",
		`"r":-4`:                                             "rank is -4",
		`"r":"many"`:                                         `r: got "many"`,
		`"lora_alpha":0`:                                     "lora_alpha is 0",
		`"lora_dropout":1.5`:                                 "dropout is 1.5",
		`"rank_pattern":{"q_proj":0}`:                        `rank pattern "q_proj" is 0`,
		`"rank_pattern":{"q_proj":1,"q_proj":2}`:             `rank_pattern: got {"q_proj":1,"q_proj":2}: key "q_proj" comes twice`,
		`"target_modules":[]`:                                "target_modules is empty",
		`"target_modules":null`:                              "target_modules is empty",
		`"target_modules":7`:                                 "target_modules: got 7: want names or a pattern",
		`"target_modules":"(?!x)q"`:                          "target pattern: error parsing regexp",
		`"exclude_modules":["a"],"exclude_modules":3`:        "exclude_modules: got 3",
	} {
		text := `{"peft_type":"LORA","target_modules":["q_proj"],` + field + `}`
		_, err := parsePEFT("dir/adapter_config.json", []byte(text))
		require.ErrorIs(t, err, ErrConfig, field)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "dir/adapter_config.json")
	}
	for text, want := range map[string]string{"": "unexpected end", "[]": "cannot unmarshal array", "{}": "peft_type: got nothing, want one of LORA", "null": "peft_type: got nothing"} {
		_, err := parsePEFT("f", []byte(text))
		require.ErrorContains(t, err, want)
	}
	_, err := parsePEFT("f", make([]byte, maxConfigBytes+1))
	require.ErrorContains(t, err, "want at most 4194304")
	_, err = parsePEFT("f", []byte(`{"peft_type":"X","use_qalora":true,"bias":"x"}`))
	for _, field := range []string{"peft_type", "use_qalora", "bias"} {
		require.ErrorContains(t, err, field, "all faults are reported")
	}
}

func TestParsePEFTDefaults(t *testing.T) {
	c, err := parsePEFT("f", []byte(`{"peft_type":"LORA","target_modules":"ALL-linear","peft_version":"0.21.2","loftq_config":{"bits":4},"bias":null}`))
	require.NoError(t, err)
	require.Equal(t, Config{Rank: 8, Alpha: 8, Targets: []string{AllLinear}}, c, "r and lora_alpha are 8 in PEFT")
}

func TestConfigSurvivesAFile(t *testing.T) {
	for _, c := range []Config{
		{Rank: 3, Alpha: 2.5, Targets: []string{"v_proj", "q_proj"}, Dropout: 0.05, BaseModel: "some/<model>", Revision: "main"},
		{Rank: 1, Alpha: 1, TargetPattern: `.*\.(k|v)_proj`, ExcludePattern: ".*9.*", RankStabilised: true, TaskType: "SEQ_CLS",
			RankPattern: Patterns[int]{{"z", 4}, {"a", 2}}, AlphaPattern: Patterns[float64]{{"b", 0.1}}},
		{Rank: 2, Alpha: 2, Targets: []string{"x"}, Exclude: []string{"y"}, Biases: TargetBiases, ModulesToSave: []string{"lm_head", "norm"}},
		{Rank: 2, Alpha: 2, Targets: []string{"x"}, Layers: []int{3, 0}, LayersPattern: []string{"layers", "h"}, BiasOnB: true, Biases: AllBiases},
		{Rank: 2, Alpha: 2, Targets: []string{"x"}, DoRA: true, Tokens: Patterns[[]int]{{"", []int{5, 3}}}},
		{Rank: 2, Alpha: 2, Targets: []string{"x"}, Tokens: Patterns[[]int]{{"lm_head", []int{1}}, {"embed_tokens", []int{2, 1}}}},
		{Method: IA3, Targets: []string{"k_proj", "down_proj"}, Feedforward: []string{"down_proj"}},
		{Method: IA3, TargetPattern: ".*proj", FeedforwardPattern: ".*down.*", Exclude: []string{"q_proj"}},
		{Method: IA3, Targets: []string{"k_proj"}, Feedforward: []string{}},
		{Method: AdaLoRA, Rank: 2, Alpha: 3, Dropout: 0.1, Targets: []string{"x"}, Budget: Budget{TargetRank: 2, TotalSteps: 90, Warmup: 5, Final: 7, Interval: 3, Beta1: 0.5, Beta2: 0.6,
			Orthogonality: 0.2, Kept: Patterns[[]bool]{{"model.x", []bool{true, false}}}}},
		{Method: CURLoRA, Rank: 5, Dropout: 0.1, Targets: []string{"x"}, RankPattern: Patterns[int]{{"y", 1}}, Layers: []int{1}},
		{Method: LoHa, Rank: 3, Alpha: 5, Targets: []string{"x"}, AlphaPattern: Patterns[float64]{{"y", 2}}, Layers: []int{4}, LayersPattern: []string{"h"}},
		{Method: TrainableTokens, Tokens: Patterns[[]int]{{"", []int{4}}}},
		{Method: TrainableTokens, Tokens: Patterns[[]int]{{"embed_tokens", []int{4, 1}}}},
	} {
		c = c.withDefaults()
		raw, err := c.writePEFT(false)
		require.NoError(t, err)
		back, err := parsePEFT("f", raw)
		require.NoError(t, err)
		require.Equal(t, c, back.withDefaults(), string(raw))
	}
}

// FuzzParsePEFT: whatever the bytes, the result is a valid configuration or an
// error, and a configuration survives being written.
func FuzzParsePEFT(f *testing.F) {
	for _, seed := range []string{`{"peft_type":"LORA","target_modules":["q_proj"],"rank_pattern":{"b":1,"a":2}}`, `{"peft_type":"LORA","target_modules":"a|b","r":3}`, `{"r":[]}`,
		`{"peft_type":"ADALORA","target_modules":["q_proj"],"init_r":2,"total_step":9,"tinit":1,"rank_pattern":{"a.lora_E":[true,false]}}`,
		`{"peft_type":"IA3","target_modules":["k_proj"],"feedforward_modules":"x|y"}`,
		`{"peft_type":"LOHA","target_modules":"all-linear","alpha":2,"rank_pattern":{"a":1}}`,
		`{"peft_type":"CURLORA","target_modules":["q_proj"],"r":3}`,
		`{"peft_type":"TRAINABLE_TOKENS","token_indices":[1,2],"target_modules":"lm_head"}`,
		`{"peft_type":"LORA","target_modules":["q_proj"],"trainable_token_indices":{"a":[1],"b":[2]},"init_lora_weights":"pissa"}`} {
		f.Add([]byte(seed))
	}
	fixtures, err := filepath.Glob("../../testdata/oracle/models/peft/*/adapter_config.json")
	require.NoError(f, err)
	for _, path := range fixtures {
		raw, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parsePEFT("f", raw)
		if err != nil {
			return
		}
		require.NoError(t, c.Validate())
		c = c.withDefaults()
		first, err := c.writePEFT(false)
		require.NoError(t, err)
		back, err := parsePEFT("f", first)
		require.NoError(t, err)
		second, err := back.withDefaults().writePEFT(false)
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}

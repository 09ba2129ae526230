package soft

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/internal/folder"
)

// peft is adapter_config.json of all kinds as PEFT writes it.
type peft struct {
	PEFTType      string  `json:"peft_type"`
	TaskType      string  `json:"task_type"`
	BaseModel     *string `json:"base_model_name_or_path"`
	Revision      *string `json:"revision"`
	InferenceMode bool    `json:"inference_mode"`
	Tokens        int     `json:"num_virtual_tokens"`
	Width         int     `json:"token_dim"`
	Submodules    *int    `json:"num_transformer_submodules"`
	Heads         int     `json:"num_attention_heads"`
	Layers        int     `json:"num_layers"`

	Projection   bool    `json:"prefix_projection"`
	EncoderWidth *int    `json:"encoder_hidden_size"`
	InitWeights  *string `json:"init_weights"`

	// How PEFT starts or trains; a folder holds the result.
	Init            any `json:"prompt_tuning_init"`
	InitText        any `json:"prompt_tuning_init_text"`
	TokenizerName   any `json:"tokenizer_name_or_path"`
	TokenizerKwargs any `json:"tokenizer_kwargs"`
	EncoderType     any `json:"encoder_reparameterization_type"`
	EncoderLayers   any `json:"encoder_num_layers"`
	EncoderDropout  any `json:"encoder_dropout"`
}

// readConfig reads the configuration of a prompt for a model.
func readConfig(dir string, m *model.Config) (Config, error) {
	var f peft
	if err := folder.ReadConfig(dir, &f); err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c, err := f.config(m)
	if err != nil {
		return Config{}, fmt.Errorf("%w: %s: %w", ErrConfig, dir, err)
	}
	return c, nil
}

// config is f as a Config.
func (f *peft) config(m *model.Config) (Config, error) {
	kind := slices.Index(kindNames[:], f.PEFTType)
	if kind < 0 {
		return Config{}, fmt.Errorf("peft_type is %q, want one of %s", f.PEFTType, strings.Join(kindNames[:], ", "))
	}
	c := Config{Kind: Kind(kind), Tokens: f.Tokens, Projection: f.Projection, TaskType: f.TaskType}
	for _, s := range []struct {
		from *string
		to   *string
	}{{f.BaseModel, &c.BaseModel}, {f.Revision, &c.Revision}} {
		if s.from != nil {
			*s.to = *s.from
		}
	}
	if c.Kind != PromptTuning && f.EncoderWidth != nil {
		c.Width = *f.EncoderWidth
	}
	c.Zero = f.InitWeights != nil && *f.InitWeights == "zero"
	submodules := 1
	if f.Submodules != nil {
		submodules = *f.Submodules
	}
	var errs []error
	for _, n := range []struct {
		field     string
		got, want int
	}{
		{"num_virtual_tokens", f.Tokens, min(max(f.Tokens, 1), maxTokens)}, {"token_dim", f.Width, c.tokenWidth(m)},
		{"num_layers", cmp.Or(f.Layers, m.NumHiddenLayers), m.NumHiddenLayers}, {"num_transformer_submodules", submodules, 1},
	} {
		if n.got != n.want {
			errs = append(errs, fmt.Errorf("%s is %d, want %d", n.field, n.got, n.want))
		}
	}
	return c, errors.Join(append(errs, c.Validate())...)
}

// fields are the configuration as PEFT writes it. The folder holds what an encoder
// made, as its inference mode expects.
func (c Config) fields(m *model.Config) map[string]any {
	f := map[string]any{
		"peft_type": c.Kind.String(), "task_type": c.TaskType, "base_model_name_or_path": orNull(c.BaseModel), "revision": orNull(c.Revision),
		"inference_mode": true, "num_virtual_tokens": c.Tokens, "token_dim": c.tokenWidth(m), "num_transformer_submodules": 1,
		"num_attention_heads": m.NumAttentionHeads, "num_layers": m.NumHiddenLayers, "modules_to_save": nil,
	}
	switch c.Kind {
	case PromptTuning:
		f["prompt_tuning_init"] = "RANDOM"
	case PrefixTuning:
		f["num_attention_heads"], f["prefix_projection"], f["encoder_hidden_size"] = m.NumKeyValueHeads, c.Projection, c.Width
		if c.Zero {
			f["init_weights"] = "zero"
		}
	case PTuning:
		f["encoder_hidden_size"], f["encoder_reparameterization_type"], f["encoder_num_layers"], f["encoder_dropout"] = c.Width, "MLP", 2, 0.0
	}
	return f
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

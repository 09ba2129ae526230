package lora

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// loraFields are the fields of a LoRA folder that are not everyone's.
func loraFields(c *Config) map[string]any {
	c.Rank, c.Alpha = 8, 8 // PEFT's defaults
	return map[string]any{
		"r": &c.Rank, "lora_alpha": &c.Alpha, "lora_dropout": &c.Dropout, "use_rslora": &c.RankStabilised, "use_dora": &c.DoRA,
		"rank_pattern": &c.RankPattern, "alpha_pattern": &c.AlphaPattern, "init_lora_weights": &initField{&c.Init},
		"layers_to_transform": &oneOrMore[int]{&c.Layers}, "layers_pattern": &oneOrMore[string]{&c.LayersPattern},
		"bias": &c.Biases, "lora_bias": &c.BiasOnB, "trainable_token_indices": &tokenField{&c.Tokens},
	}
}

func ia3Fields(c *Config) map[string]any {
	return map[string]any{"feedforward_modules": &names{&c.Feedforward, &c.FeedforwardPattern}}
}

func adaFields(c *Config) map[string]any {
	c.Rank, c.Alpha = defaultAdaRank, 8
	b, skip := &c.Budget, &skipped{}
	return map[string]any{
		"init_r": &c.Rank, "lora_alpha": &c.Alpha, "lora_dropout": &c.Dropout, "rank_pattern": &keptField{&b.Kept},
		"layers_to_transform": &oneOrMore[int]{&c.Layers}, "layers_pattern": &oneOrMore[string]{&c.LayersPattern}, "bias": &c.Biases,
		"target_r": &b.TargetRank, "tinit": &b.Warmup, "tfinal": &b.Final, "deltaT": &b.Interval, "total_step": &b.TotalSteps,
		"beta1": &b.Beta1, "beta2": &b.Beta2, "orth_reg_weight": &b.Orthogonality,
		"r": skip, "init_lora_weights": skip,
	}
}

func curFields(c *Config) map[string]any {
	return map[string]any{"r": &c.Rank, "dropout": &c.Dropout, "rank_pattern": &c.RankPattern, "bias": &c.Biases,
		"layers_to_transform": &oneOrMore[int]{&c.Layers}, "layers_pattern": &oneOrMore[string]{&c.LayersPattern}}
}

func tokenFields(c *Config) map[string]any {
	c.Tokens = Patterns[[]int]{{}}
	return map[string]any{"token_indices": &c.Tokens[0].Value, "target_modules": &tokenPlace{&c.Tokens[0].Key}}
}

// read is the field peft_type.
func (m *Method) read(raw json.RawMessage) error {
	var name string
	if raw == nil {
		return fmt.Errorf("got nothing, want one of %s", strings.Join(methodNames(), ", "))
	}
	if err := json.Unmarshal(raw, &name); err != nil || !slices.Contains(methodNames(), name) {
		return fmt.Errorf("got %.*s, which is not supported, want one of %s", maxShown, raw, strings.Join(methodNames(), ", "))
	}
	if *m = Method(name); name == loraType {
		*m = LoRA
	}
	return nil
}

// skipped is a field that influences nothing.
type skipped struct{}

// UnmarshalJSON does nothing.
func (skipped) UnmarshalJSON([]byte) error { return nil }

// initField is init_lora_weights. Most ways only matter before training.
type initField struct{ init *Init }

// UnmarshalJSON reads the field.
func (f *initField) UnmarshalJSON(raw []byte) error {
	switch string(raw) {
	case `"pissa"`, `"olora"`:
		return json.Unmarshal(raw, (*string)(f.init))
	case "null", "true", "false", `"gaussian"`, `"orthogonal"`, `"eva"`:
		return nil
	}
	return errors.New("want true, false or a way that leaves the base as it is, or pissa or olora")
}

// tokenField is trainable_token_indices: a list, or an object of lists.
type tokenField struct{ tokens *Patterns[[]int] }

// UnmarshalJSON reads the field.
func (f *tokenField) UnmarshalJSON(raw []byte) error {
	var list []int
	if err := json.Unmarshal(raw, &list); err == nil {
		if *f.tokens = nil; list != nil {
			*f.tokens = Patterns[[]int]{{Value: list}}
		}
		return nil
	}
	return json.Unmarshal(raw, f.tokens)
}

// MarshalJSON writes a list where the embedding is meant.
func (f tokenField) MarshalJSON() ([]byte, error) {
	switch t := *f.tokens; {
	case t == nil:
		return []byte("null"), nil
	case len(t) == 1 && t[0].Key == "":
		return json.Marshal(t[0].Value)
	default:
		return json.Marshal(t)
	}
}

// tokenPlace is target_modules of TrainableTokens: one name, or null for the
// embedding.
type tokenPlace struct{ name *string }

// UnmarshalJSON reads the field.
func (f *tokenPlace) UnmarshalJSON(raw []byte) error {
	var list []string
	if err := (&oneOrMore[string]{&list}).UnmarshalJSON(raw); err != nil {
		return err
	}
	switch len(list) {
	case 0:
	case 1:
		*f.name = list[0]
	default:
		return errors.New("want one name")
	}
	return nil
}

// lastE is how the names in AdaLoRA's rank_pattern end.
const lastE = ".lora_E"

// keptField is rank_pattern of AdaLoRA.
type keptField struct{ kept *Patterns[[]bool] }

// UnmarshalJSON reads the field.
func (f *keptField) UnmarshalJSON(raw []byte) error {
	err := json.Unmarshal(raw, f.kept)
	for i := range *f.kept {
		p := &(*f.kept)[i]
		p.Key = strings.TrimSuffix(p.Key, lastE)
	}
	return err
}

// MarshalJSON writes the field.
func (f keptField) MarshalJSON() ([]byte, error) {
	if len(*f.kept) == 0 {
		return []byte("null"), nil
	}
	list := slices.Clone(*f.kept)
	for i := range list {
		list[i].Key += lastE
	}
	return json.Marshal(list)
}

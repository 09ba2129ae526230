package lora

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Names in a PEFT folder.
const (
	configFile   = "adapter_config.json"
	weightsFile  = "adapter_model.safetensors"
	filePrefix   = "base_model.model."
	tokenAdapter = "token_adapter."
	baseSuffix   = "base_layer.weight"
)

// maxConfigBytes bounds adapter_config.json; published ones are a few kB.
const maxConfigBytes = 4 << 20

// maxShown is how much of an unexpected value an error shows.
const maxShown = 80

// allowed are the values that fields may have which are not part of Config. A nil
// list allows everything: those fields say where the adapter came from, or how
// PEFT would initialise, place or train it. Of fields that are not listed only
// values that turn something off are allowed.
var allowed = map[string][]string{
	"fan_in_fan_out": {"null", "true", "false"}, // PEFT goes by the layers, and so do we
	"auto_mapping":   nil, "corda_config": nil, "eva_config": nil, "inference_mode": nil, "loftq_config": nil,
	"lora_ga_config": nil, "megatron_core": nil, "peft_version": nil, "qalora_group_size": nil, "runtime_config": nil,
	"init_weights": nil, "init_ia3_weights": nil, "peft_type": nil,
}

// off are the values that turn an option off.
var off = []string{"null", "false", "[]", "{}", `""`, "0", "0.0"}

// parsePEFT reads adapter_config.json; name stands for its path in errors. It
// refuses every variant that would be computed wrongly.
func parsePEFT(name string, raw []byte) (Config, error) {
	var all map[string]json.RawMessage
	if len(raw) > maxConfigBytes {
		return Config{}, fmt.Errorf("%w: %s: got %d bytes, want at most %d", ErrConfig, name, len(raw), maxConfigBytes)
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return Config{}, fmt.Errorf("%w: %s: %w", ErrConfig, name, err)
	}
	var c Config
	var errs []error
	if err := c.Method.read(all["peft_type"]); err != nil {
		errs = append(errs, fmt.Errorf("%w: %s: peft_type: %w", ErrConfig, name, err))
	}
	known := map[string]any{
		"target_modules": &names{&c.Targets, &c.TargetPattern}, "exclude_modules": &names{&c.Exclude, &c.ExcludePattern},
		"modules_to_save":         &oneOrMore[string]{&c.ModulesToSave},
		"base_model_name_or_path": &c.BaseModel, "revision": &c.Revision, "task_type": &c.TaskType,
	}
	maps.Copy(known, c.kind().fields(&c))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if err := readField(key, all[key], known[key]); err != nil {
			errs = append(errs, fmt.Errorf("%w: %s: %s: %w", ErrConfig, name, key, err))
		}
	}
	if len(errs) == 0 {
		if err := errors.Join(c.checkFile(), c.Validate()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return c, errors.Join(errs...)
}

// checkFile reports what Config takes for a wish for defaults but a file must not
// have.
func (c Config) checkFile() error {
	var errs []error
	if c.Rank == 0 && c.Method != IA3 && c.Method != TrainableTokens {
		errs = append(errs, fmt.Errorf("%w: r is 0, want 1 to %d", ErrConfig, maxRank))
	}
	if c.Alpha == 0 && (c.Method == LoRA || c.Method == AdaLoRA) {
		errs = append(errs, fmt.Errorf("%w: lora_alpha is 0, want a positive number", ErrConfig))
	}
	if len(c.Targets) == 0 && c.TargetPattern == "" && c.Method != TrainableTokens {
		errs = append(errs, fmt.Errorf("%w: target_modules is empty, want names or a pattern", ErrConfig))
	}
	return errors.Join(errs...)
}

// readField decodes a field into a place of Config, or checks one that has none.
func readField(key string, v json.RawMessage, into any) error {
	if into != nil {
		if err := json.Unmarshal(v, into); err != nil {
			return fmt.Errorf("got %.*s: %w", maxShown, v, err)
		}
		return nil
	}
	var compact bytes.Buffer
	if json.Compact(&compact, v) == nil {
		v = compact.Bytes()
	}
	want, listed := allowed[key]
	if listed && want == nil {
		return nil
	}
	if !listed {
		want = off
	}
	if !slices.Contains(want, string(v)) {
		return fmt.Errorf("got %.*s, which is not supported, want %s", maxShown, v, strings.Join(want, " or "))
	}
	return nil
}

// names is a field that holds a list of names, or a pattern.
type names struct {
	list    *[]string
	pattern *string
}

// UnmarshalJSON reads the field. The pattern "all-linear" becomes that target.
func (n *names) UnmarshalJSON(raw []byte) error {
	if err := json.Unmarshal(raw, n.list); err == nil {
		return nil
	}
	if err := json.Unmarshal(raw, n.pattern); err != nil {
		return errors.New("want names or a pattern")
	}
	if strings.EqualFold(*n.pattern, AllLinear) {
		*n.list, *n.pattern = []string{AllLinear}, ""
	}
	return nil
}

// oneOrMore is a field that holds one value or a list of them; null, an empty
// list and an empty text stand for none.
type oneOrMore[T comparable] struct{ list *[]T }

// UnmarshalJSON reads the field.
func (o *oneOrMore[T]) UnmarshalJSON(raw []byte) error {
	var none, one T
	*o.list = nil
	if err := json.Unmarshal(raw, &one); err == nil {
		_, text := any(one).(string)
		if string(raw) != "null" && !(text && one == none) {
			*o.list = []T{one}
		}
		return nil
	}
	if err := json.Unmarshal(raw, o.list); err != nil {
		return fmt.Errorf("want one of type %T or a list", one)
	}
	if len(*o.list) == 0 {
		*o.list = nil
	}
	return nil
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// listOrPattern is a field that holds names or a pattern, null for neither.
func listOrPattern(list []string, pattern string) any {
	switch {
	case pattern != "":
		return pattern
	case list == nil:
		return nil
	}
	return list
}

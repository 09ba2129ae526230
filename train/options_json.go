package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rules that options can name in JSON. Rules defined elsewhere are written, and
// compared on resume, but cannot be read back.
var (
	optimizers = map[string]func(json.RawMessage) (Optimizer, error){
		"adamw":               decode[AdamW, Optimizer],
		"adam":                decode[Adam, Optimizer],
		"sgd":                 decode[SGD, Optimizer],
		"rmsprop":             decode[RMSprop, Optimizer],
		"lion":                decode[Lion, Optimizer],
		"adagrad":             decode[Adagrad, Optimizer],
		"adamax":              decode[Adamax, Optimizer],
		"nadam":               decode[NAdam, Optimizer],
		"muon":                decode[Muon, Optimizer],
		"radam":               decode[RAdam, Optimizer],
		"adafactor":           decode[Adafactor, Optimizer],
		"torch_adafactor":     decode[TorchAdafactor, Optimizer],
		"schedule_free_adamw": decode[ScheduleFreeAdamW, Optimizer],
		"schedule_free_sgd":   decode[ScheduleFreeSGD, Optimizer],
	}
	schedules = map[string]func(json.RawMessage) (Schedule, error){
		"constant_with_warmup":      decode[Constant, Schedule],
		"linear":                    decode[Linear, Schedule],
		"cosine":                    decode[Cosine, Schedule],
		"cosine_warmup_with_min_lr": decode[CosineWarm, Schedule],
		"cosine_with_restarts":      decode[CosineRestarts, Schedule],
		"polynomial":                decode[Polynomial, Schedule],
		"inverse_sqrt":              decode[InverseSqrt, Schedule],
		"warmup_stable_decay":       decode[WarmupStableDecay, Schedule],
		"reduce_lr_on_plateau":      decode[ReduceOnPlateau, Schedule],
		"greedy":                    decode[Greedy, Schedule],
	}
)

// decode reads a rule of type T, strictly: a misspelt field is an error.
func decode[T any, I any](raw json.RawMessage) (I, error) {
	var v T
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		var none I
		return none, err
	}
	return any(v).(I), nil
}

// plainOptions is Options without its JSON methods, its rules replaced.
type plainOptions struct {
	optionFields
	Optimizer json.RawMessage `json:"optimizer"`
	Schedule  json.RawMessage `json:"schedule"`
}

// optionFields has no methods, so encoding it does not come back here.
type optionFields Options

// MarshalJSON writes optimizer and schedule as objects with their "name".
func (o Options) MarshalJSON() ([]byte, error) {
	p := plainOptions{optionFields: optionFields(o)}
	var err error
	if o.Optimizer != nil {
		if p.Optimizer, err = encodeRule(o.Optimizer.Name(), o.Optimizer); err != nil {
			return nil, fmt.Errorf("train: Options.Optimizer: %w", err)
		}
	}
	if o.Schedule != nil {
		if p.Schedule, err = encodeRule(o.Schedule.Name(), o.Schedule); err != nil {
			return nil, fmt.Errorf("train: Options.Schedule: %w", err)
		}
	}
	return json.Marshal(p)
}

// UnmarshalJSON reads what MarshalJSON writes. A field that is absent keeps its
// value; an unknown field or rule is an error.
func (o *Options) UnmarshalJSON(raw []byte) error {
	p := plainOptions{optionFields: optionFields(*o)}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return fmt.Errorf("train: options: %w", err)
	}
	next := Options(p.optionFields)
	if err := decodeRule(p.Optimizer, optimizers, &next.Optimizer); err != nil {
		return fmt.Errorf("train: Options.Optimizer: %w", err)
	}
	if err := decodeRule(p.Schedule, schedules, &next.Schedule); err != nil {
		return fmt.Errorf("train: Options.Schedule: %w", err)
	}
	*o = next
	return nil
}

// encodeRule puts the name before the fields of a rule.
func encodeRule(name string, rule any) (json.RawMessage, error) {
	raw, err := json.Marshal(rule)
	if err != nil {
		return nil, err
	}
	if !isObject(raw) {
		return nil, fmt.Errorf("rule %s: got %.40q as JSON, want an object", name, raw)
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	out := append([]byte(`{"name":`), quoted...)
	if string(raw) != "{}" {
		out = append(out, ',')
	}
	return append(out, raw[1:]...), nil
}

// decodeRule sets dst from an object with a "name"; absent or null leaves it.
func decodeRule[I any](raw json.RawMessage, known map[string]func(json.RawMessage) (I, error), dst *I) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	var name string
	if err := json.Unmarshal(fields["name"], &name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	read, ok := known[name]
	if !ok {
		return fmt.Errorf("got %q, want one of %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	delete(fields, "name")
	rest, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	v, err := read(rest)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	*dst = v
	return nil
}

package reward

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// schema is a compiled JSON schema: the checks a value must pass, or a boolean.
type schema struct {
	checks []func(v any) bool
}

func (s *schema) accepts(v any) bool {
	for _, c := range s.checks {
		if !c(v) {
			return false
		}
	}
	return true
}

// annotations are keywords without an effect.
var annotations = []string{"title", "description", "default", "examples", "$schema", "$id", "$comment"}

func compileSchema(raw []byte) (*schema, error) {
	v, err := parseJSON(string(raw))
	if err != nil {
		return nil, fmt.Errorf("reward: schema: %w: %w", ErrOptions, err)
	}
	return compile(v, "#")
}

// compile turns a schema at a place into checks.
func compile(v any, place string) (*schema, error) {
	s := &schema{}
	if ok, isBool := v.(bool); isBool {
		s.checks = append(s.checks, func(any) bool { return ok })
		return s, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, schemaFault(place, v)
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if slices.Contains(annotations, k) {
			continue
		}
		check, err := keyword(k, m, place+"/"+k)
		if err != nil {
			return nil, err
		}
		s.checks = append(s.checks, check)
	}
	return s, nil
}

func schemaFault(place string, got any) error {
	return fmt.Errorf("reward: schema: %s: %.60v is not understood: %w", place, got, ErrOptions)
}

// keyword compiles one keyword of a schema.
func keyword(k string, m map[string]any, place string) (func(any) bool, error) {
	v := m[k]
	switch k {
	case "type":
		return typed(v, place)
	case "const":
		return func(x any) bool { return sameJSON(x, v) }, nil
	case "enum":
		list, ok := v.([]any)
		if !ok {
			return nil, schemaFault(place, v)
		}
		return func(x any) bool {
			return slices.ContainsFunc(list, func(y any) bool { return sameJSON(x, y) })
		}, nil
	case "allOf", "anyOf", "oneOf", "not":
		return combined(k, v, place)
	case "required", "properties", "additionalProperties":
		return objectKeyword(k, m, place)
	case "items", "prefixItems", "uniqueItems":
		return arrayKeyword(k, m, place)
	case "pattern":
		expression, ok := v.(string)
		re, err := regexp.Compile(expression)
		if !ok || err != nil || len(expression) > maxPattern {
			return nil, schemaFault(place, v)
		}
		return func(x any) bool { t, ok := x.(string); return !ok || re.MatchString(t) }, nil
	}
	return bounded(k, v, place)
}

// typed compiles "type": one name or several.
func typed(v any, place string) (func(any) bool, error) {
	names, ok := v.([]any)
	if !ok {
		names = []any{v}
	}
	for _, n := range names {
		name, ok := n.(string)
		if !ok || !slices.Contains([]string{"null", "boolean", "object", "array", "string", "number", "integer"}, name) {
			return nil, schemaFault(place, n)
		}
	}
	return func(x any) bool {
		t := typeOf(x)
		return slices.ContainsFunc(names, func(n any) bool {
			return n == t || n == "integer" && t == "number" && whole(x.(json.Number))
		})
	}, nil
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

func whole(n json.Number) bool {
	if !strings.ContainsAny(string(n), ".eE") {
		return true
	}
	f, err := n.Float64()
	return err == nil && f == float64(int64(f))
}

// combined compiles allOf, anyOf, oneOf and not.
func combined(k string, v any, place string) (func(any) bool, error) {
	list, ok := v.([]any)
	if k == "not" {
		list, ok = []any{v}, true
	}
	if !ok || len(list) == 0 {
		return nil, schemaFault(place, v)
	}
	var subs []*schema
	for i, raw := range list {
		s, err := compile(raw, fmt.Sprintf("%s/%d", place, i))
		if err != nil {
			return nil, err
		}
		subs = append(subs, s)
	}
	return func(x any) bool {
		n := 0
		for _, s := range subs {
			if s.accepts(x) {
				n++
			}
		}
		switch k {
		case "allOf":
			return n == len(subs)
		case "anyOf":
			return n > 0
		case "oneOf":
			return n == 1
		}
		return n == 0
	}, nil
}

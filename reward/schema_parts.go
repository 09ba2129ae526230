package reward

import (
	"encoding/json"
	"math"
	"unicode/utf8"
)

// objectKeyword compiles what concerns objects; other values pass.
func objectKeyword(k string, m map[string]any, place string) (func(any) bool, error) {
	if k == "required" {
		list, ok := m[k].([]any)
		if !ok {
			return nil, schemaFault(place, m[k])
		}
		for _, n := range list {
			if _, ok := n.(string); !ok {
				return nil, schemaFault(place, n)
			}
		}
		return func(x any) bool {
			o, ok := x.(map[string]any)
			for _, n := range list {
				if _, has := o[n.(string)]; ok && !has {
					return false
				}
			}
			return true
		}, nil
	}
	known, _ := m["properties"].(map[string]any)
	if k == "additionalProperties" {
		s, err := compile(m[k], place)
		if err != nil {
			return nil, err
		}
		return func(x any) bool {
			o, _ := x.(map[string]any)
			for name, v := range o {
				if _, ok := known[name]; !ok && !s.accepts(v) {
					return false
				}
			}
			return true
		}, nil
	}
	if known == nil {
		return nil, schemaFault(place, m[k])
	}
	subs := map[string]*schema{}
	for name, raw := range known {
		s, err := compile(raw, place+"/"+name)
		if err != nil {
			return nil, err
		}
		subs[name] = s
	}
	return func(x any) bool {
		o, _ := x.(map[string]any)
		for name, v := range o {
			if s := subs[name]; s != nil && !s.accepts(v) {
				return false
			}
		}
		return true
	}, nil
}

// maxUnique bounds the arrays whose elements are compared in pairs.
const maxUnique = 256

// arrayKeyword compiles what concerns arrays; other values pass.
func arrayKeyword(k string, m map[string]any, place string) (func(any) bool, error) {
	if k == "uniqueItems" {
		on, ok := m[k].(bool)
		if !ok {
			return nil, schemaFault(place, m[k])
		}
		return func(x any) bool { list, _ := x.([]any); return !on || unique(list) }, nil
	}
	prefix, _ := m["prefixItems"].([]any)
	if k == "items" {
		s, err := compile(m[k], place)
		if err != nil {
			return nil, err
		}
		return func(x any) bool {
			list, _ := x.([]any)
			for i := len(prefix); i < len(list); i++ {
				if !s.accepts(list[i]) {
					return false
				}
			}
			return true
		}, nil
	}
	if prefix == nil {
		return nil, schemaFault(place, m[k])
	}
	var subs []*schema
	for _, raw := range prefix {
		s, err := compile(raw, place)
		if err != nil {
			return nil, err
		}
		subs = append(subs, s)
	}
	return func(x any) bool {
		list, _ := x.([]any)
		for i, s := range subs {
			if i < len(list) && !s.accepts(list[i]) {
				return false
			}
		}
		return true
	}, nil
}

func unique(list []any) bool {
	if len(list) > maxUnique {
		return false
	}
	for i, a := range list {
		for _, b := range list[:i] {
			if sameJSON(a, b) {
				return false
			}
		}
	}
	return true
}

// bounded compiles limits on numbers, lengths and counts.
func bounded(k string, v any, place string) (func(any) bool, error) {
	n, ok := v.(json.Number)
	limit, err := n.Float64()
	if !ok || err != nil {
		return nil, schemaFault(place, v)
	}
	compare := map[string]func(x float64) bool{
		"minimum": func(x float64) bool { return x >= limit }, "maximum": func(x float64) bool { return x <= limit },
		"exclusiveMinimum": func(x float64) bool { return x > limit }, "exclusiveMaximum": func(x float64) bool { return x < limit },
		"multipleOf": func(x float64) bool { return limit > 0 && math.Abs(math.Remainder(x, limit)) <= 1e-12*math.Abs(x) },
		"minLength":  func(x float64) bool { return x >= limit }, "maxLength": func(x float64) bool { return x <= limit },
		"minItems": func(x float64) bool { return x >= limit }, "maxItems": func(x float64) bool { return x <= limit },
	}[k]
	if compare == nil {
		return nil, schemaFault(place, v)
	}
	return func(x any) bool {
		switch x := x.(type) {
		case json.Number:
			f, err := x.Float64()
			return k == "minLength" || k == "maxLength" || k == "minItems" || k == "maxItems" || err == nil && compare(f)
		case string:
			return k != "minLength" && k != "maxLength" || compare(float64(utf8.RuneCountInString(x)))
		case []any:
			return k != "minItems" && k != "maxItems" || compare(float64(len(x)))
		}
		return true
	}, nil
}

// sameJSON says whether two values are equal; numbers by value.
func sameJSON(a, b any) bool {
	switch x := a.(type) {
	case json.Number:
		y, ok := b.(json.Number)
		if !ok {
			return false
		}
		f, errF := x.Float64()
		g, errG := y.Float64()
		return x == y || errF == nil && errG == nil && f == g
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !sameJSON(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k := range x {
			if v, has := y[k]; !has || !sameJSON(x[k], v) {
				return false
			}
		}
		return true
	}
	if _, ok := b.(map[string]any); ok {
		return false
	}
	if _, ok := b.([]any); ok {
		return false
	}
	return a == b
}

package lora

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
)

// Pattern is one entry of Patterns: a regular expression and what holds where it
// matches.
type Pattern[T any] struct {
	Key   string
	Value T
}

// Patterns are values by regular expression, in the order in which they are
// tried. In JSON they are an object, whose order is kept.
type Patterns[T any] []Pattern[T]

// MarshalJSON writes an object with the keys in order.
func (p Patterns[T]) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, e := range p {
		key, err1 := json.Marshal(e.Key)
		value, err2 := json.Marshal(e.Value)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("lora: pattern %q: %v cannot be written", e.Key, e.Value)
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads an object. A key that comes twice is an error.
func (p *Patterns[T]) UnmarshalJSON(raw []byte) error {
	*p = nil
	d := json.NewDecoder(bytes.NewReader(raw))
	t, err := d.Token()
	if err != nil || t == nil { // null
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("got %.40s, want an object", raw)
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		e := Pattern[T]{Key: t.(string)} // encoding/json lets nothing else stand here
		if err := d.Decode(&e.Value); err != nil {
			return fmt.Errorf("key %.80q: %w", e.Key, err)
		}
		if seen[e.Key] {
			return fmt.Errorf("key %.80q comes twice", e.Key)
		}
		seen[e.Key] = true
		*p = append(*p, e)
	}
	return nil
}

// compiled is Patterns ready for matching.
type compiled[T any] []struct {
	key   *regexp.Regexp
	value T
}

// compile prepares patterns; field names them in errors.
func compile[T any](field string, ps Patterns[T]) (compiled[T], error) {
	var c compiled[T]
	for _, p := range ps {
		re, err := regexp.Compile(`^(.*\.)?(` + p.Key + `)$`)
		if err != nil {
			return nil, fmt.Errorf("%w: %s %.80q: %w", ErrConfig, field, p.Key, err)
		}
		c = append(c, struct {
			key   *regexp.Regexp
			value T
		}{re, p.Value})
	}
	return c, nil
}

// find is the value of the first key that matches path.
func (c compiled[T]) find(path string, def T) T {
	for _, p := range c {
		if p.key.MatchString(path) {
			return p.value
		}
	}
	return def
}

package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// object is a JSON object with its keys in the file's order.
type object struct {
	keys   []string
	values []json.RawMessage
}

// parseObject splits raw into keys and undecoded values. It refuses duplicate
// keys, more than limit of them, and anything after the object.
func parseObject(raw []byte, limit int) (object, error) {
	var o object
	seen := make(map[string]bool)
	err := walk(raw, '{', func(dec *json.Decoder) error {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if seen[key] {
			return fmt.Errorf("duplicate key %q", clip(key))
		}
		if seen[key] = true; len(o.keys) == limit {
			return fmt.Errorf("more than %d keys", limit)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		o.keys, o.values = append(o.keys, key), append(o.values, value)
		return nil
	})
	return o, err
}

// parseList splits raw into undecoded items, at most limit of them.
func parseList(raw []byte, limit int) ([]json.RawMessage, error) {
	var items []json.RawMessage
	err := walk(raw, '[', func(dec *json.Decoder) error {
		if len(items) == limit {
			return fmt.Errorf("more than %d items", limit)
		}
		var item json.RawMessage
		if err := dec.Decode(&item); err != nil {
			return err
		}
		items = append(items, item)
		return nil
	})
	return items, err
}

// walk calls visit at each entry of the one object or list that raw is.
func walk(raw []byte, open json.Delim, visit func(*json.Decoder) error) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	token, err := dec.Token()
	if err != nil {
		return atOffset(err, dec)
	}
	if token != open {
		return fmt.Errorf("%s", kindOf(raw))
	}
	for dec.More() {
		if err := visit(dec); err != nil {
			return atOffset(err, dec)
		}
	}
	if _, err := dec.Token(); err != nil {
		return atOffset(err, dec)
	}
	end := dec.InputOffset()
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("text after the end of the JSON value at byte %d", end+1)
	}
	return nil
}

// atOffset says where in the row bad JSON stands.
func atOffset(err error, dec *json.Decoder) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("bad JSON at byte %d: %w", max(syntax.Offset, dec.InputOffset()), err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("JSON that ends too early: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// get returns a column's value; absent and null are the same.
func (o object) get(key string) (json.RawMessage, bool) {
	i := slices.Index(o.keys, key)
	if i < 0 || string(o.values[i]) == "null" {
		return nil, false
	}
	return o.values[i], true
}

// has reports whether all columns are there and not null.
func (o object) has(keys ...string) bool {
	for _, key := range keys {
		if _, ok := o.get(key); !ok {
			return false
		}
	}
	return true
}

// kindOf names the JSON type of raw for error texts.
func kindOf(raw []byte) string {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// clip shortens text of a file for error messages and takes out what a terminal
// would obey.
func clip(s string) string {
	const most = 40
	end := ""
	if len(s) > most {
		s, end = strings.ToValidUTF8(s[:most], ""), "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s) + end
}

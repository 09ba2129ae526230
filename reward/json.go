package reward

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// Bounds of what is parsed as JSON.
const (
	maxJSON      = 1 << 20
	maxJSONDepth = 64
)

var errJSON = errors.New("no JSON value")

// JSON is 1 if the completion is one JSON value (RFC 8259), alone or as the whole
// of a ``` block.
func JSON() Verifier {
	return truth("json", func(s Sample) (bool, error) {
		_, err := parseJSON(s.Completion)
		return err == nil, nil
	})
}

// Schema is 1 if the completion is JSON that the schema accepts. Understood are:
// type, enum, const, required, properties, additionalProperties, items,
// prefixItems, minItems, maxItems, uniqueItems, minLength, maxLength, pattern
// (RE2), minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, allOf,
// anyOf, oneOf, not, and the annotations title, description, default, examples,
// $schema, $id. Any other keyword ($ref, format, …) is an error, for ignoring it
// would accept what the author meant to refuse.
func Schema(schema []byte) (Verifier, error) {
	s, err := compileSchema(schema)
	if err != nil {
		return nil, err
	}
	return truth("json_schema", func(sample Sample) (bool, error) {
		v, err := parseJSON(sample.Completion)
		return err == nil && s.accepts(v), nil
	}), nil
}

// parseJSON reads one value; numbers stay text.
func parseJSON(text string) (any, error) {
	if len(text) > maxJSON || !shallow(text) {
		return nil, errJSON
	}
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, "```"); ok {
		if inner, ok = strings.CutSuffix(inner, "```"); !ok {
			return nil, errJSON
		}
		text = strings.TrimPrefix(strings.TrimPrefix(inner, "json"), "JSON")
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	return v, nil
}

// shallow says whether brackets outside strings nest at most maxJSONDepth deep.
func shallow(text string) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxJSONDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

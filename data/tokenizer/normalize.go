package tokenizer

import (
	"encoding/json"
	"fmt"
)

// normalizer rewrites text before it is split into words. The result lies in p
// itself or in w.normal.
type normalizer interface {
	normalize(w *worker, p piece) piece
}

// maxSteps bounds the steps of a sequence.
const maxSteps = 64

// normalizers is a sequence.
type normalizers []normalizer

func (s normalizers) normalize(w *worker, p piece) piece {
	for _, n := range s {
		p = n.normalize(w, p)
	}
	return p
}

// parseNormalizer reads the field normalizer; nil for none.
func parseNormalizer(raw json.RawMessage, f *faults) (normalizer, error) {
	kind, err := kindOfStep(raw)
	if err != nil || kind == "" {
		return nil, err
	}
	switch kind {
	case "Sequence":
		return parseNormalizers(raw, f)
	case "NFC", "NFD", "NFKC", "NFKD":
		return newUnicodeForm(kind), nil
	case "Lowercase":
		return lowercase{}, nil
	case "Strip":
		var n strip
		err := decode(raw, &n)
		return n, err
	case "StripAccents":
		return without{combining}, nil
	case "BertNormalizer":
		return parseBert(raw)
	case "Nmt":
		return nmt{}, nil
	case "Precompiled":
		return parseCharsmap(raw)
	case "Replace":
		return parseReplace(raw, f)
	case "Prepend":
		var n prepend
		err := decode(raw, &n)
		return n, err
	case "ByteLevel":
		return byteLevelNormalizer{}, nil
	}
	return nil, unsupported(kind)
}

func parseNormalizers(raw json.RawMessage, f *faults) (normalizer, error) {
	var list struct {
		Normalizers []json.RawMessage `json:"normalizers"`
	}
	if err := decode(raw, &list); err != nil {
		return nil, err
	}
	if len(list.Normalizers) > maxSteps {
		return nil, fmt.Errorf("normalizers: got %d, want at most %d", len(list.Normalizers), maxSteps)
	}
	var all normalizers
	for i, step := range list.Normalizers {
		n, err := parseNormalizer(step, f)
		if err != nil {
			return nil, fmt.Errorf("normalizers[%d]: %w", i, err)
		}
		if n != nil {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// kindOfStep is the field type of a step, "" for null or nothing.
func kindOfStep(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var step struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &step); err != nil {
		return "", err
	}
	if step.Type == "" {
		return "", fmt.Errorf("type: got none, want one in %.60q", raw)
	}
	return step.Type, nil
}

// decode reads the fields of a step. Unknown fields are allowed, as in the Rust library:
// files carry fields of older versions.
func decode(raw json.RawMessage, v any) error { return json.Unmarshal(raw, v) }

func unsupported(kind string) error {
	return fmt.Errorf("%w: type %.40q", ErrUnsupported, kind)
}

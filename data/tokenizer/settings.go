package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Truncation are the settings by which the Rust library shortens texts, as a
// tokenizer.json has them. Here they are for callers who want to do the same:
// encoding does not shorten.
type Truncation struct {
	MaxLength int    // tokens, those that are added around a text counted in
	Stride    int    // tokens that neighbouring parts of a text share
	Strategy  string // for pairs: LongestFirst, OnlyFirst or OnlySecond
	Direction string // Right or Left: the side that is cut off
}

// Padding are the settings by which the Rust library fills the texts of a batch to
// one length, as a tokenizer.json has them. Encoding does not pad.
type Padding struct {
	Fixed      int    // tokens; 0: as many as the longest text has
	MultipleOf int    // lengths are rounded up to a multiple of this; 0: they are not
	Direction  string // Right or Left: the side that is filled
	ID         int32
	TypeID     int
	Token      string
}

// Truncation returns the file's settings; ok is false when it has none.
func (t *Tokenizer) Truncation() (s Truncation, ok bool) {
	if t.truncation == nil {
		return Truncation{}, false
	}
	return *t.truncation, true
}

// Padding returns the file's settings; ok is false when it has none.
func (t *Tokenizer) Padding() (s Padding, ok bool) {
	if t.padding == nil {
		return Padding{}, false
	}
	return *t.padding, true
}

// parseTruncation reads the field truncation; nil for none.
func parseTruncation(raw json.RawMessage) (*Truncation, error) {
	if absent(raw) {
		return nil, nil
	}
	fields := struct {
		MaxLength *int   `json:"max_length"`
		Stride    int    `json:"stride"`
		Strategy  string `json:"strategy"`
		Direction string `json:"direction"`
	}{Strategy: "LongestFirst", Direction: "Right"}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	if fields.MaxLength == nil || *fields.MaxLength < 0 || fields.Stride < 0 {
		return nil, fmt.Errorf("got %.120q, want max_length and stride of 0 or more", raw)
	}
	switch fields.Strategy {
	case "LongestFirst", "OnlyFirst", "OnlySecond":
	default:
		return nil, fmt.Errorf("strategy: got %.40q, want LongestFirst, OnlyFirst or OnlySecond", fields.Strategy)
	}
	if err := checkDirection(fields.Direction); err != nil {
		return nil, err
	}
	return &Truncation{*fields.MaxLength, fields.Stride, fields.Strategy, fields.Direction}, nil
}

// parsePadding reads the field padding; nil for none.
func parsePadding(raw json.RawMessage) (*Padding, error) {
	if absent(raw) {
		return nil, nil
	}
	fields := struct {
		Strategy   json.RawMessage `json:"strategy"`
		MultipleOf *int            `json:"pad_to_multiple_of"`
		Direction  string          `json:"direction"`
		ID         int32           `json:"pad_id"`
		TypeID     int             `json:"pad_type_id"`
		Token      string          `json:"pad_token"`
	}{Direction: "Right"}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	p := &Padding{Direction: fields.Direction, ID: fields.ID, TypeID: fields.TypeID, Token: fields.Token}
	if fields.MultipleOf != nil {
		p.MultipleOf = *fields.MultipleOf
	}
	if string(fields.Strategy) != `"BatchLongest"` {
		var fixed struct{ Fixed *int }
		if err := json.Unmarshal(fields.Strategy, &fixed); err != nil || fixed.Fixed == nil {
			return nil, fmt.Errorf(`strategy: got %.40q, want "BatchLongest" or {"Fixed": n}`, fields.Strategy)
		}
		p.Fixed = *fixed.Fixed
	}
	if p.Fixed < 0 || p.MultipleOf < 0 || p.ID < 0 || p.TypeID < 0 {
		return nil, fmt.Errorf("got %.120q, want no negative number", raw)
	}
	return p, checkDirection(p.Direction)
}

func absent(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}

func checkDirection(d string) error {
	if d != "Left" && d != "Right" {
		return fmt.Errorf("direction: got %.40q, want Left or Right", d)
	}
	return nil
}

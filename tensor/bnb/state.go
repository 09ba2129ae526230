package bnb

import (
	"encoding/json"
	"fmt"
)

// maxState bounds the JSON text of a state; real ones have some 200 bytes.
const maxState = 1 << 16

// maxElements bounds the tensors that a state may describe.
const maxElements = 1 << 40

// State is what a checkpoint keeps beside a tensor in four bits, under
// "<name>.quant_state.bitsandbytes__nf4" (or fp4).
type State struct {
	Kind         Kind    `json:"quant_type"`
	Block        int     `json:"blocksize"`
	Dtype        string  `json:"dtype"` // of the tensor before: float32, bfloat16 or float16
	Shape        []int   `json:"shape"`
	NestedBlock  int     `json:"nested_blocksize,omitempty"` // 0: scales are float32 numbers
	NestedDtype  string  `json:"nested_dtype,omitempty"`
	NestedOffset float32 `json:"nested_offset,omitempty"`
}

// ParseState reads a state and checks every field.
func ParseState(raw []byte) (State, error) {
	var s State
	if len(raw) > maxState {
		return s, fmt.Errorf("%w: quant_state has %d bytes, want at most %d", ErrFormat, len(raw), maxState)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("%w: quant_state: %w", ErrFormat, err)
	}
	if _, err := s.Kind.Code(); err != nil {
		return s, err
	}
	if s.Block < 1 || s.Block > 1<<20 || s.NestedBlock < 0 || s.NestedBlock > 1<<20 {
		return s, fmt.Errorf("%w: quant_state: got blocks of %d and nested ones of %d elements, want 1 to %d (nested: or none)", ErrFormat, s.Block, s.NestedBlock, 1<<20)
	}
	switch s.Dtype {
	case "float32", "bfloat16", "float16":
	default:
		return s, fmt.Errorf("%w: quant_state: got dtype %q, want float32, bfloat16 or float16", ErrFormat, s.Dtype)
	}
	if s.NestedBlock > 0 && s.NestedDtype != "float32" {
		return s, fmt.Errorf("%w: quant_state: got nested_dtype %q, want float32", ErrFormat, s.NestedDtype)
	}
	n := 1
	for _, d := range s.Shape {
		if d < 1 || n > maxElements/d {
			return s, fmt.Errorf("%w: quant_state: got shape %v, want positive sizes of at most %d elements in all", ErrFormat, s.Shape, maxElements)
		}
		n *= d
	}
	if len(s.Shape) == 0 || len(s.Shape) > 8 {
		return s, fmt.Errorf("%w: quant_state: got %d dimensions, want 1 to 8", ErrFormat, len(s.Shape))
	}
	return s, nil
}

// Len is the number of elements.
func (s State) Len() int {
	n := 1
	for _, d := range s.Shape {
		n *= d
	}
	return n
}

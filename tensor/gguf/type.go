package gguf

import "fmt"

// Type is the element encoding of a tensor, with ggml's numbers.
type Type uint32

// The tensor types this package decodes to float32.
const (
	F32     Type = 0
	F16     Type = 1
	Q4_0    Type = 2
	Q4_1    Type = 3
	Q5_0    Type = 6
	Q5_1    Type = 7
	Q8_0    Type = 8
	Q2_K    Type = 10
	Q3_K    Type = 11
	Q4_K    Type = 12
	Q5_K    Type = 13
	Q6_K    Type = 14
	IQ2_XXS Type = 16
	IQ2_XS  Type = 17
	IQ3_XXS Type = 18
	IQ1_S   Type = 19
	IQ4_NL  Type = 20
	IQ3_S   Type = 21
	IQ2_S   Type = 22
	IQ4_XS  Type = 23
	I8      Type = 24
	I16     Type = 25
	I32     Type = 26
	I64     Type = 27
	F64     Type = 28
	IQ1_M   Type = 29
	BF16    Type = 30
	TQ1_0   Type = 34
	TQ2_0   Type = 35
	MXFP4   Type = 39
	NVFP4   Type = 40
	Q1_0    Type = 41
	Q2_0    Type = 42
)

// layout describes one type: block numbers occupy size bytes. A size of 0 marks
// a type that ggml has removed.
type layout struct {
	name   string
	block  int
	size   int
	decode func(dst []float32, src []byte)
	encode func(dst []byte, x []float32) bool // one block; nil for none
}

// layouts lists every type that ggml 0.25 knows or once knew, by number.
var layouts = [...]layout{
	F32:     {"F32", 1, 4, decodeF32, encodeF32},
	F16:     {"F16", 1, 2, decodeF16, encodeF16},
	Q4_0:    {"Q4_0", 32, 18, decodeQ4x0, encodeQ4x0},
	Q4_1:    {"Q4_1", 32, 20, decodeQ4x1, encodeQ4x1},
	4:       {name: "Q4_2"},
	5:       {name: "Q4_3"},
	Q5_0:    {"Q5_0", 32, 22, decodeQ5x0, encodeQ5x0},
	Q5_1:    {"Q5_1", 32, 24, decodeQ5x1, encodeQ5x1},
	Q8_0:    {"Q8_0", 32, 34, decodeQ8x0, encodeQ8x0},
	9:       {"Q8_1", 32, 36, nil, nil},
	Q2_K:    {"Q2_K", 256, 84, decodeQ2K, encodeQ2K},
	Q3_K:    {"Q3_K", 256, 110, decodeQ3K, encodeQ3K},
	Q4_K:    {"Q4_K", 256, 144, decodeQ4K, encodeQ4K},
	Q5_K:    {"Q5_K", 256, 176, decodeQ5K, encodeQ5K},
	Q6_K:    {"Q6_K", 256, 210, decodeQ6K, encodeQ6K},
	15:      {"Q8_K", 256, 292, nil, nil},
	IQ2_XXS: {"IQ2_XXS", 256, 66, decodeIQ2XXS, nil},
	IQ2_XS:  {"IQ2_XS", 256, 74, decodeIQ2XS, nil},
	IQ3_XXS: {"IQ3_XXS", 256, 98, decodeIQ3XXS, nil},
	IQ1_S:   {"IQ1_S", 256, 50, decodeIQ1S, nil},
	IQ4_NL:  {"IQ4_NL", 32, 18, decodeIQ4NL, nil},
	IQ3_S:   {"IQ3_S", 256, 110, decodeIQ3S, nil},
	IQ2_S:   {"IQ2_S", 256, 82, decodeIQ2S, nil},
	IQ4_XS:  {"IQ4_XS", 256, 136, decodeIQ4XS, nil},
	I8:      {"I8", 1, 1, decodeI8, nil},
	I16:     {"I16", 1, 2, decodeI16, nil},
	I32:     {"I32", 1, 4, decodeI32, nil},
	I64:     {"I64", 1, 8, decodeI64, nil},
	F64:     {"F64", 1, 8, decodeF64, nil},
	IQ1_M:   {"IQ1_M", 256, 56, decodeIQ1M, nil},
	BF16:    {"BF16", 1, 2, decodeBF16, encodeBF16},
	31:      {name: "Q4_0_4_4"},
	32:      {name: "Q4_0_4_8"},
	33:      {name: "Q4_0_8_8"},
	TQ1_0:   {"TQ1_0", 256, 54, decodeTQ1, nil},
	TQ2_0:   {"TQ2_0", 256, 66, decodeTQ2, nil},
	36:      {name: "IQ4_NL_4_4"},
	37:      {name: "IQ4_NL_4_8"},
	38:      {name: "IQ4_NL_8_8"},
	MXFP4:   {"MXFP4", 32, 17, decodeMXFP4, nil},
	NVFP4:   {"NVFP4", 64, 36, decodeNVFP4, nil},
	Q1_0:    {"Q1_0", 128, 18, decodeQ1x0, nil},
	Q2_0:    {"Q2_0", 64, 18, decodeQ2x0, nil},
}

// String is ggml's name of the type, as in "Q4_K".
func (t Type) String() string {
	if int64(t) < int64(len(layouts)) {
		return layouts[t].name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// BlockLen is the count of numbers in one block; rows hold whole blocks. It is
// 0 for a type that ggml does not have.
func (t Type) BlockLen() int {
	if !t.known() {
		return 0
	}
	return layouts[t].block
}

// BlockSize is the count of bytes of one block, 0 for a type that ggml does not
// have.
func (t Type) BlockSize() int {
	if !t.known() {
		return 0
	}
	return layouts[t].size
}

// Decodes reports whether this package can turn the type into float32.
func (t Type) Decodes() bool { return t.known() && layouts[t].decode != nil }

func (t Type) known() bool { return int64(t) < int64(len(layouts)) && layouts[t].size > 0 }

// check explains why a type cannot be in a file.
func (t Type) check() error {
	switch {
	case t.known():
		return nil
	case int64(t) < int64(len(layouts)):
		return fmt.Errorf("got tensor type %d (%s), which ggml has removed; convert the model again", uint32(t), t)
	}
	return fmt.Errorf("got unknown tensor type %d, want at most %d", uint32(t), len(layouts)-1)
}

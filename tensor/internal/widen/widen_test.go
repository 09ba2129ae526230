package widen

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHandWorkedNumbers(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	for name, c := range map[string]struct {
		fn   func([]float32, []byte)
		src  []byte
		want []float32
	}{
		"F32":  {F32, []byte{0, 0, 0xc0, 0x3f, 0, 0, 0x80, 0xff}, []float32{1.5, -inf}},
		"F64":  {F64, []byte{1, 0, 0, 0, 0, 0, 0xf0, 0x3f}, []float32{1}},
		"F16":  {F16, []byte{0, 0x3c, 1, 0, 0, 0xfc}, []float32{1, 1.0 / (1 << 24), -inf}},
		"BF16": {BF16, []byte{0x80, 0x3f, 0xc0, 0x7f}, []float32{1, nan}},
		"I8":   {I8, []byte{127, 128}, []float32{127, -128}},
		"U8":   {U8, []byte{127, 128}, []float32{127, 128}},
		"I16":  {I16, []byte{0xff, 0x7f, 0, 0x80}, []float32{32767, -32768}},
		"U16":  {U16, []byte{0, 0x80}, []float32{32768}},
		"I32":  {I32, []byte{1, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}, []float32{1 << 24, -1}}, // 2²⁴+1 is a tie
		"U32":  {U32, []byte{3, 0, 0, 0xff}, []float32{0xff000000}},
		"I64":  {I64, []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, []float32{-2}},
		"U64":  {U64, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, []float32{1 << 64}},
		"E4M3": {F8E4M3, []byte{0x38, 0x7e, 0xff, 0x01, 0x80}, []float32{1, 448, nan, 1.0 / 512, float32(math.Copysign(0, -1))}},
		"E5M2": {F8E5M2, []byte{0x3c, 0x7b, 0xfc, 0x7d, 0x01}, []float32{1, 57344, -inf, nan, 1.0 / 65536}},
		"E8M0": {F8E8M0, []byte{127, 128, 0, 254, 255}, []float32{1, 2, math.Float32frombits(0x00400000), math.Float32frombits(0x7f000000), nan}},
	} {
		got := make([]float32, len(c.want))
		c.fn(got, c.src)
		for i := range got {
			if c.want[i] != c.want[i] {
				assert.True(t, got[i] != got[i], "%s %d: got %v, want NaN", name, i, got[i])
				continue
			}
			assert.Equal(t, math.Float32bits(c.want[i]), math.Float32bits(got[i]), "%s %d: got %v, want %v", name, i, got[i], c.want[i])
		}
	}
}

// TestAnyAddress converts the same bytes from all eight alignments.
func TestAnyAddress(t *testing.T) {
	const n = 100
	for name, c := range map[string]struct {
		fn    func([]float32, []byte)
		width int
	}{"F32": {F32, 4}, "F64": {F64, 8}, "F16": {F16, 2}, "BF16": {BF16, 2}, "I16": {I16, 2}, "U64": {U64, 8}} {
		data := make([]byte, n*c.width)
		for i := range data {
			data[i] = byte(i * 37)
		}
		want := make([]float32, n)
		c.fn(want, data)
		for shift := range 8 {
			moved := append(make([]byte, shift, shift+len(data)), data...)[shift:]
			got := make([]float32, n)
			c.fn(got, moved)
			for i := range got {
				if want[i] == want[i] || got[i] == got[i] {
					assert.Equal(t, math.Float32bits(want[i]), math.Float32bits(got[i]), "%s shifted by %d", name, shift)
				}
			}
		}
	}
}

func TestWrongLengthPanics(t *testing.T) {
	assert.PanicsWithValue(t, "widen: got 3 bytes for 1 numbers of 4", func() { F32(make([]float32, 1), make([]byte, 3)) })
}

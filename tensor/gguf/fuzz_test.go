package gguf_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/tensor/gguf"
)

// FuzzParse parses arbitrary bytes: no panic, no large allocation, and what is
// accepted can be read whole.
func FuzzParse(f *testing.F) {
	f.Add(withEveryKind().bytes())
	f.Add(new(file).tensor("a", uint32(gguf.Q6_K), make([]byte, 210), 256).tensor("b", uint32(gguf.F16), make([]byte, 12), 3, 2).bytes())
	f.Add(new(file).key("general.alignment", 4, u32(64)).bytes())
	f.Add(splitPart(0, 1, 0).bytes())
	corpus, _ := filepath.Glob("../../testdata/oracle/formats/gguf_malformed/*.gguf")
	for _, path := range corpus {
		if data, err := os.ReadFile(path); err == nil && len(data) < 1024 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := gguf.Parse("fuzz", data)
		if err != nil {
			return
		}
		for key := range m.Keys() {
			v, err := m.Value(key)
			require.NoError(t, err)
			require.NotNil(t, v)
		}
		for _, x := range m.Tensors() {
			require.LessOrEqual(t, x.Size(), int64(len(data)))
			if !x.Type().Decodes() {
				continue
			}
			v, err := x.Float32()
			require.NoError(t, err)
			require.Len(t, v, x.Len())
		}
	})
}

// FuzzDequantize decodes arbitrary blocks of every type, whole and block by
// block: the bits must agree.
func FuzzDequantize(f *testing.F) {
	f.Add(uint8(gguf.Q3_K), make([]byte, 220))
	for typ := range uint8(43) { // codes and scales of all sizes, for every type
		block := make([]byte, 2*gguf.Type(typ).BlockSize())
		for i := range block {
			block[i] = byte(i*7 + int(typ))
		}
		f.Add(typ, block)
	}
	f.Add(uint8(gguf.Q5_1), []byte("any bytes will do, as many as you like"))
	f.Fuzz(func(t *testing.T, typ uint8, data []byte) {
		g := gguf.Type(typ)
		if !g.Decodes() {
			require.Error(t, gguf.Dequantize(nil, g, data))
			return
		}
		n := len(data) / g.BlockSize()
		whole, single := make([]float32, n*g.BlockLen()), make([]float32, n*g.BlockLen())
		require.NoError(t, gguf.Dequantize(whole, g, data[:n*g.BlockSize()]))
		for i := range n {
			require.NoError(t, gguf.Dequantize(single[i*g.BlockLen():(i+1)*g.BlockLen()], g, data[i*g.BlockSize():(i+1)*g.BlockSize()]))
		}
		assertBits(t, g.String(), whole, single)
	})
}

// FuzzQuantize encodes arbitrary numbers: they are refused or come back finite.
func FuzzQuantize(f *testing.F) {
	f.Add(uint8(gguf.Q4_K), []byte("numbers"))
	f.Add(uint8(gguf.Q6_K), []byte{0, 0, 0x7f, 0x7f, 1, 0, 0, 0, 0, 0, 0x80, 0xff})
	f.Add(uint8(gguf.Q8_0), []byte{0, 0, 0x80, 0x00, 0, 0, 0, 0x80, 0, 0, 0x80, 0x3f})
	f.Add(uint8(gguf.Q2_K), []byte{0, 0, 0x80, 0x7f})
	f.Fuzz(func(t *testing.T, typ uint8, data []byte) {
		g := gguf.Type(typ)
		if !g.Encodes() || len(data) < 4 {
			return
		}
		x := make([]float32, 256) // the numbers over and over
		for i := range x {
			x[i] = math.Float32frombits(le.Uint32(data[i*4%(len(data)-3):]))
		}
		b, err := encoded(x, g)
		if err != nil {
			require.ErrorIs(t, err, gguf.ErrRange)
			return
		}
		back := make([]float32, len(x))
		require.NoError(t, gguf.Dequantize(back, g, b))
		for i, v := range back {
			if g.BlockLen() > 1 {
				require.False(t, v-v != 0, "number %d: %v became %v", i, x[i], v)
			}
		}
	})
}

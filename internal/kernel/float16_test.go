package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fixtureTensors reads the integer tensors of a safetensors fixture.
func fixtureTensors(t *testing.T, path string) map[string][]uint32 {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	size := binary.LittleEndian.Uint64(raw)
	var header map[string]struct {
		DType   string
		Offsets [2]int `json:"data_offsets"`
	}
	require.NoError(t, json.Unmarshal(raw[8:8+size], &header))
	tensors := map[string][]uint32{}
	for name, h := range header {
		data := raw[8+int(size):][h.Offsets[0]:h.Offsets[1]]
		switch h.DType {
		case "U32":
			for ; len(data) > 0; data = data[4:] {
				tensors[name] = append(tensors[name], binary.LittleEndian.Uint32(data))
			}
		case "U16":
			for ; len(data) > 0; data = data[2:] {
				tensors[name] = append(tensors[name], uint32(binary.LittleEndian.Uint16(data)))
			}
		}
	}
	return tensors
}

func TestOracleFloatConversions(t *testing.T) {
	for _, root := range oracle.Roots(t, "formats/floats") {
		tally := oracle.NewTally(t)
		tally.Skip("e4m3fn", "not a kernel format")
		tally.Skip("e5m2", "not a kernel format")
		data := fixtureTensors(t, filepath.Join(root, "conversions.safetensors"))
		var index map[string]json.RawMessage
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		for _, f := range []struct {
			name   string
			narrow func(dst []uint16, src []float32)
			widen  func(dst []float32, src []uint16)
			kind   Kind16
		}{{"bf16", F32ToBF16, BF16ToF32, BF16}, {"f16", F32ToF16, F16ToF32, F16}} {
			t.Run(f.name, func(t *testing.T) {
				eachLevel(t, func(t *testing.T) {
					checkNarrow(t, f.narrow, data["f32_bits"], data["to_"+f.name])
					checkWiden(t, f.widen, data["some_"+f.name], data["some_"+f.name+"_to_f32_bits"])
					checkTable(t, f.widen, f.name, index)
				})
			})
			tally.Compared(len(data["f32_bits"]) + len(data["some_"+f.name]) + 1<<16)
		}
	}
}

func checkNarrow(t *testing.T, narrow func([]uint16, []float32), bits, want []uint32) {
	src, got := make([]float32, len(bits)), make([]uint16, len(bits))
	for i, b := range bits {
		src[i] = math.Float32frombits(b)
	}
	narrow(got, src)
	for i, v := range src {
		if v != v { // NaN is compared as NaN: it stays one and is quiet
			var back [1]float32
			if want[i]>>7&1 == 1 && want[i] == 0xffff {
				back[0] = FromBF16(got[i])
			} else {
				back[0] = FromF16(got[i])
			}
			assert.True(t, back[0] != back[0], "NaN %#x became %#x", bits[i], got[i])
			continue
		}
		require.Equal(t, uint16(want[i]), got[i], "%#x = %v", bits[i], v)
	}
}

func checkWiden(t *testing.T, widen func([]float32, []uint16), bits, want []uint32) {
	src, got := make([]uint16, len(bits)), make([]float32, len(bits))
	for i, b := range bits {
		src[i] = uint16(b)
	}
	widen(got, src)
	for i, v := range got {
		w := math.Float32frombits(want[i])
		require.True(t, math.Float32bits(v) == want[i] || v != v && w != w, "%#x gave %v, want %v", bits[i], v, w)
	}
}

// checkTable compares all 65536 values by the fixture's hash. The fixture
// keeps NaN payloads as they are; quiet bits are taken from the format.
func checkTable(t *testing.T, widen func([]float32, []uint16), name string, index map[string]json.RawMessage) {
	var entry struct {
		Hash string `json:"all_to_f32_sha256_of_little_endian_u32"`
	}
	require.NoError(t, json.Unmarshal(index[name], &entry))
	src, got := make([]uint16, 1<<16), make([]float32, 1<<16)
	for i := range src {
		src[i] = uint16(i)
	}
	widen(got, src)
	raw := make([]byte, 0, 1<<18)
	for _, v := range got {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	sum := sha256.Sum256(raw)
	assert.Equal(t, entry.Hash, hex.EncodeToString(sum[:]), name)
}

func TestNarrowRoundTrip(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		src, wide, back := make([]uint16, 1<<16), make([]float32, 1<<16), make([]uint16, 1<<16)
		for i := range src {
			src[i] = uint16(i)
		}
		F16ToF32(wide, src)
		F32ToF16(back, wide)
		for i, h := range src {
			if h&0x7c00 == 0x7c00 && h&0x3ff != 0 {
				h |= 0x200 // quiet
			}
			require.Equal(t, h, back[i])
		}
		BF16ToF32(wide, src)
		F32ToBF16(back, wide)
		for i, h := range src {
			if h&0x7fff > 0x7f80 {
				h = h&0x8000 | 0x7fc0
			}
			require.Equal(t, h, back[i])
		}
		for _, n := range testLengths() { // tails and guards
			wide[n] = guardValue
			BF16ToF32(wide, src[:n])
			require.Equal(t, float32(guardValue), wide[n])
			F16ToF32(wide, src[:n])
			require.Equal(t, float32(guardValue), wide[n])
		}
	})
}

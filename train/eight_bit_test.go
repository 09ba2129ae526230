package train

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor/bnb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// Two distances to neighbours in a map that are the same up to rounding.
	distanceTolerance = 6e-8
	// The fixture's README: one step from the fixture's state before.
	eightBitParamTolerance = 2e-8
	// of a float64 run; ours is stored in float32, which adds half a unit there.
	eightBitAbsmaxTolerance = 1e-7 + 0x1p-24
	eightBitSameCodes       = 0.968
)

type eightBitCase struct {
	optimizerCase
	Shape  []int
	Init   string
	Grads  []string
	States []struct {
		Params, State1, State2 string
		Absmax1, Absmax2       []float64
	}
}

func floats64(t *testing.T, text string) []float64 {
	raw := bytesOf(t, text)
	values := make([]float64, len(raw)/4)
	for i := range values {
		values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
	}
	return values
}

func bytesOf(t *testing.T, text string) []byte {
	raw, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return raw
}

func TestOracleEightBit(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "optim") {
		var file struct {
			Signed   []float64      `json:"signed_map"`
			Unsigned []float64      `json:"unsigned_map"`
			Cases    []eightBitCase `json:"cases"`
			Blocks   struct {
				Values         string
				SignedCodes    string    `json:"signed_codes"`
				SignedAbsmax   []float64 `json:"signed_absmax"`
				SignedBack     string    `json:"signed_back"`
				UnsignedCodes  string    `json:"unsigned_codes"`
				UnsignedAbsmax []float64 `json:"unsigned_absmax"`
			} `json:"quantize_blockwise"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "eight_bit.json.gz"), &file)
		t.Run("maps", func(t *testing.T) {
			for k, want := range [][]float64{file.Signed, file.Unsigned} {
				m := bnb.DynamicMap(k == 0)
				for i, v := range want {
					require.Equal(t, float32(v), m[i], "map %d entry %d", k, i)
				}
			}
		})
		t.Run("blocks", func(t *testing.T) {
			b := file.Blocks
			values := flatParam("", floats64(t, b.Values), false).data
			checkBlocks(t, values, false, b.SignedCodes, b.SignedAbsmax, floats64(t, b.SignedBack))
			for i, v := range values {
				values[i] = float32(math.Abs(float64(v)))
			}
			checkBlocks(t, values, true, b.UnsignedCodes, b.UnsignedAbsmax, nil)
		})
		tally.Compared(2)
		for _, c := range file.Cases {
			t.Run(c.ID, func(t *testing.T) { replayEightBit(t, &c) })
			tally.Compared(1)
		}
	}
}

// checkBlocks packs values. Where our code is not the library's, which looks
// codes up in a coarser table, ours must be as near.
func checkBlocks(t *testing.T, values []float32, nonNegative bool, codes string, absmax, back []float64) {
	b := newBlocks8(len(values), nonNegative)
	for lo := 0; lo < len(values); lo += block8 {
		b.pack(values[lo:min(lo+block8, len(values))], lo)
	}
	for i, want := range absmax {
		assert.InDelta(t, want, b.absmax[i], eightBitAbsmaxTolerance*want)
	}
	same := 0
	for i, theirs := range bytesOf(t, codes) {
		x, scale := float64(values[i]), float64(b.absmax[i/block8])
		ours := b.codes[i]
		if ours != theirs {
			far := math.Abs(float64(b.table[theirs])*scale - x)
			require.LessOrEqual(t, math.Abs(float64(b.table[ours])*scale-x), far+distanceTolerance*scale, "value %d", i)
			continue
		}
		same++
		if back != nil {
			require.InDelta(t, back[i], float64(b.table[ours])*scale, eightBitAbsmaxTolerance*math.Abs(back[i]), "value %d", i)
		}
	}
	require.GreaterOrEqual(t, float64(same)/float64(len(values)), eightBitSameCodes)
}

func replayEightBit(t *testing.T, c *eightBitCase) {
	c.Options["eight_bit"] = true
	if c.Optimizer == "AdamW8bit" && c.Options["weight_decay"] == nil {
		c.Options["weight_decay"] = 0.01 // bitsandbytes' default
	}
	o := c.optimizer(t)
	p := flatParam("x", floats64(t, c.Init), false)
	p.shape = c.Shape
	u, err := o.Start([]Slot{{Param: p, LRFactor: 1}})
	require.NoError(t, err)
	for step, want := range c.States {
		p.setGrad(floats64(t, c.Grads[step]))
		u.Update(step+1, o.BaseLR(), 1)
		require.InDeltaSlice(t, floats64(t, want.Params), p.values(), eightBitParamTolerance, "step %d", step+1)
		for i, v := range floats64(t, want.Params) {
			p.data[i] = float32(v)
		}
		state := u.State()
		adoptBlocks(t, state[0], state[1], want.State1, want.Absmax1)
		if want.State2 != "" {
			adoptBlocks(t, state[2], state[3], want.State2, want.Absmax2)
		}
	}
}

// adoptBlocks compares state in 8 bits with the fixture's and replaces it.
func adoptBlocks(t *testing.T, codes, absmax StateTensor, wantCodes string, wantAbsmax []float64) {
	same := 0
	want := bytesOf(t, wantCodes)
	require.Len(t, codes.U8, len(want))
	for i, c := range want {
		if codes.U8[i] == c {
			same++
		}
	}
	require.GreaterOrEqual(t, float64(same)/float64(len(want)), eightBitSameCodes, codes.Name)
	copy(codes.U8, want)
	for i, v := range wantAbsmax {
		require.InDelta(t, v, absmax.F32[i], eightBitAbsmaxTolerance*v, absmax.Name)
		absmax.F32[i] = float32(v)
	}
}

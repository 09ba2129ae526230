package gguf_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor/gguf"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

func TestOracleBlocks(t *testing.T) {
	for _, root := range oracle.Roots(t, "formats/gguf_blocks") {
		var index struct {
			Types map[string]struct {
				Number uint32 `json:"ggml_type"`
				Block  int
				Bytes  int
			}
		}
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		tally := oracle.NewTally(t)
		for name, want := range index.Types {
			typ := gguf.Type(want.Number)
			assert.Equal(t, name, typ.String())
			assert.Equal(t, want.Block, typ.BlockLen(), name)
			assert.Equal(t, want.Bytes, typ.BlockSize(), name)
			t.Run(name, func(t *testing.T) { compareBlocks(t, filepath.Join(root, name+".safetensors"), typ, tally) })
		}
	}
}

func compareBlocks(t *testing.T, path string, typ gguf.Type, tally *oracle.Tally) {
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	for name, encoded := range f.Tensors() {
		if !strings.Contains(name, "bytes.") {
			continue
		}
		want := floats(t, f, strings.Replace(name, "bytes.", "deq.", 1))
		src, err := encoded.Bytes()
		require.NoError(t, err)
		got := make([]float32, len(want))
		require.NoError(t, gguf.Dequantize(got, typ, src))
		assertBits(t, name, want, got)
		tally.Compared(1)
	}
}

func floats(t *testing.T, f *safetensors.File, name string) []float32 {
	t.Helper()
	x, err := f.Tensor(name)
	require.NoError(t, err)
	v, err := x.Float32()
	require.NoError(t, err)
	return v
}

// assertBits wants equal bits, any NaN equal to any other.
func assertBits(t *testing.T, name string, want, got []float32) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		bothNaN := want[i] != want[i] && got[i] != got[i]
		if !bothNaN && math.Float32bits(want[i]) != math.Float32bits(got[i]) {
			t.Fatalf("%s: element %d: got %v (%#x), want %v (%#x)", name, i, got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

func TestOracleMalformed(t *testing.T) {
	for _, root := range oracle.Roots(t, "formats/gguf_malformed") {
		var index struct {
			Files map[string]struct{ Verdict, Why string }
		}
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		tally := oracle.NewTally(t)
		for name, want := range index.Files {
			t.Run(name, func(t *testing.T) {
				f, err := gguf.Open(filepath.Join(root, name+".gguf"))
				switch want.Verdict {
				case "accept":
					require.NoError(t, err, want.Why)
				case "error":
					require.Error(t, err, want.Why)
				default:
					require.Equal(t, "either", want.Verdict)
				}
				tally.Compared(1)
				if err != nil {
					assert.ErrorContains(t, err, name+".gguf")
					t.Log(err)
					return
				}
				defer f.Close()
				for _, x := range f.Tensors() {
					_, err := x.Float32()
					require.NoError(t, err)
				}
			})
		}
	}
}

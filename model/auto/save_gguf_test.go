package auto

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// offsetRounding is what adding one to a norm weight in float32 and taking it away
// may move it by: half of the spacing of float32 numbers in [1,4).
const offsetRounding = 2.4e-7

// TestOracleSaveGGUF saves the folders of the model fixtures as F32 and reads
// them back: weights, configuration, ids and template are what they were.
func TestOracleSaveGGUF(t *testing.T) {
	for _, root := range oracle.Roots(t, "formats/gguf_models") {
		tally := oracle.NewTally(t)
		for _, name := range []string{"llama", "llama3", "qwen2", "qwen3", "gemma3"} {
			t.Run(name, func(t *testing.T) {
				c, err := Open(filepath.Join(root, name, "hf"), Options{})
				require.NoError(t, err)
				path := filepath.Join(t.TempDir(), "m.gguf")
				report, err := SaveGGUF(path, c, GGUFOptions{})
				require.NoError(t, err)
				back, err := Open(path, Options{Weights: tensor.Float32})
				require.NoError(t, err)
				sameWeights(t, c, back, report)
				require.NoError(t, sameConfig(c.Model.Config(), back.Model.Config()))
				assert.Equal(t, c.Model.Config().EOS, back.Model.Config().EOS)
				require.NoError(t, sameIDs(c.Tokenizer, back.Tokenizer))
				assert.Equal(t, c.Template, back.Template)
				sameAsConverter(t, path, filepath.Join(root, name))
				tally.Compared(1)
			})
		}
	}
}

func sameWeights(t *testing.T, want, got *Checkpoint, report []GGUFTensor) {
	t.Helper()
	weights := map[string]*tensor.Param{}
	for name, p := range got.Model.Params() {
		weights[name] = p
	}
	n := 0
	for name, p := range want.Model.Params() {
		wide, err := p.Convert(tensor.Float32)
		require.NoError(t, err)
		require.Contains(t, weights, name)
		tolerance := 0.0
		if want.Family.GGUF.NormOffset != 0 && len(p.Shape()) == 1 {
			tolerance = offsetRounding
		}
		assert.InDeltaSlice(t, wide.Data(), weights[name].Data(), tolerance, name)
		assert.Zero(t, report[n].Loss.Square, name)
		n++
	}
	assert.Len(t, report, n)
	assert.Len(t, weights, n)
}

// sameAsConverter compares tensors and their numbers with the file that
// llama.cpp's converter made of the same folder, where there is one without loss.
func sameAsConverter(t *testing.T, path, dir string) {
	t.Helper()
	for _, variant := range []string{"f32", "f16", "bf16"} {
		ref := filepath.Join(dir, filepath.Base(dir)+"-"+variant+".gguf")
		if _, err := os.Stat(ref); err != nil {
			continue
		}
		want, err := gguf.Open(ref)
		require.NoError(t, err)
		defer want.Close()
		got, err := gguf.Open(path)
		require.NoError(t, err)
		defer got.Close()
		assert.Equal(t, want.Len(), got.Len())
		for name, x := range want.Tensors() {
			y, err := got.Tensor(name)
			require.NoError(t, err)
			assert.Equal(t, x.Shape(), y.Shape(), name)
			a, err := x.Float32()
			require.NoError(t, err)
			b, err := y.Float32()
			require.NoError(t, err)
			assert.InDeltaSlice(t, a, b, divisorTolerance*10, name)
		}
	}
}

func TestSaveGGUFTypes(t *testing.T) {
	for _, root := range oracle.Roots(t, "formats/gguf_models") {
		c, err := Open(filepath.Join(root, "qwen2", "hf"), Options{})
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "m.gguf")
		report, err := SaveGGUF(path, c, GGUFOptions{Type: gguf.Q4_K, TypeOf: func(name string) gguf.Type {
			if name == "token_embd.weight" {
				return gguf.Q8_0
			}
			return gguf.Q4_K // rows of 64 and 96 are no multiple of 256
		}})
		require.NoError(t, err)
		for _, x := range report {
			switch {
			case x.Name == "token_embd.weight":
				assert.Equal(t, gguf.Q8_0, x.Type)
				assert.Less(t, x.Loss.Relative(), 0.01)
			case x.Type != gguf.F32:
				assert.Equal(t, gguf.Q5_0, x.Type, x.Name)
				assert.Less(t, x.Loss.Relative(), 0.06, x.Name)
			}
		}
		_, err = Open(path, Options{})
		require.NoError(t, err)

		c.Family.ModelType, c.Family.GGUF = "other", nil
		_, err = SaveGGUF(path, c, GGUFOptions{})
		require.ErrorIs(t, err, ErrUnsupported)
		left, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		assert.Len(t, left, 1, "nothing is left beside the file")
	}
}

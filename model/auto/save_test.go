package auto

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// requireEqualWeights wants the same names, types, shapes and bits.
func requireEqualWeights(t *testing.T, want, got model.Model) {
	t.Helper()
	weights := map[string]*tensor.Param{}
	for name, p := range got.Params() {
		weights[name] = p
	}
	n := 0
	for name, p := range want.Params() {
		n++
		require.Contains(t, weights, name)
		q := weights[name]
		require.Equal(t, p.Dtype(), q.Dtype(), name)
		require.Equal(t, p.Shape(), q.Shape(), name)
		require.Equal(t, memory(p), memory(q), name)
	}
	require.Len(t, weights, n)
}

// checkpoints lists every supported checkpoint of the fixtures, folders and GGUF.
func checkpoints(t *testing.T, tally *oracle.Tally) []string {
	var paths []string
	for _, c := range oracleCases(t, tally) {
		paths = append(paths, c.dir)
	}
	found, err := filepath.Glob(filepath.Join(oracle.Roots(t, "formats/gguf_models")[0], "*", "*-f16.gguf"))
	require.NoError(t, err)
	return append(paths, found...)
}

// TestOracleSave saves every fixture and opens it again: same bits, same
// configuration.
func TestOracleSave(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, path := range checkpoints(t, tally) {
		for _, shard := range []int64{0, 20000} {
			t.Run(filepath.Base(path), func(t *testing.T) {
				c, err := Open(path, Options{NoTokenizer: true})
				require.NoError(t, err)
				dir := filepath.Join(t.TempDir(), "saved")
				require.NoError(t, Save(dir, c, SaveOptions{MaxShardBytes: shard}))
				again, err := Open(dir, Options{NoTokenizer: true})
				require.NoError(t, err)
				requireEqualWeights(t, c.Model, again.Model)
				want, got := *c.Model.Config(), *again.Model.Config()
				want.Raw, got.Raw = nil, nil
				assert.Equal(t, want, got)
				left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*"))
				require.NoError(t, err)
				assert.Empty(t, left, "scratch files")
				tally.Compared(1)
			})
		}
	}
}

// TestOracleGGUFWeights wants every unquantised weight of a GGUF file to be the
// folder's, number for number.
func TestOracleGGUFWeights(t *testing.T) {
	tally := oracle.NewTally(t)
	root := oracle.Roots(t, "formats/gguf_models")[0]
	for _, name := range []string{"llama/llama-f32", "llama/llama-split-00001-of-00003", "llama3/llama3-bf16", "qwen2/qwen2-f16", "qwen3/qwen3-f16", "gemma3/gemma3-f16"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(root, name+".gguf")
			file, err := Open(path, Options{NoTokenizer: true, Weights: tensor.Float32})
			require.NoError(t, err)
			folder, err := Open(filepath.Join(filepath.Dir(path), "hf"), Options{NoTokenizer: true, Weights: tensor.Float32})
			require.NoError(t, err)
			if file.Family.ModelType != "gemma3_text" {
				requireEqualWeights(t, folder.Model, file.Model)
			} else {
				requireCloseWeights(t, folder.Model, file.Model)
			}
			want, got := *folder.Model.Config(), *file.Model.Config()
			assert.Equal(t, want.RoPE, got.RoPE)
			assert.Equal(t, want.LocalRoPE, got.LocalRoPE)
			for i := range want.NumHiddenLayers {
				assert.Equal(t, want.Sliding(i), got.Sliding(i), "layer %d", i)
			}
			assert.Equal(t, want.RMSNormEps, got.RMSNormEps)
			assert.Equal(t, want.HeadDim, got.HeadDim)
			tally.Compared(1)
		})
	}
}

// normRounding: Gemma's norm weights are stored as float32(1+w), so w comes back
// with an absolute error of half a unit of the last place of a number below 8.
const normRounding = 2.5e-7

func requireCloseWeights(t *testing.T, want, got model.Model) {
	weights := map[string]*tensor.Param{}
	for name, p := range got.Params() {
		weights[name] = p
	}
	for name, p := range want.Params() {
		require.Contains(t, weights, name)
		require.Len(t, weights[name].Data(), p.Len(), name)
		if len(p.Shape()) > 1 {
			require.Equal(t, p.Data(), weights[name].Data(), name)
			continue
		}
		require.InDeltaSlice(t, p.Data(), weights[name].Data(), normRounding, name)
	}
}

func TestSaveConvertsAndKeepsUnknownFields(t *testing.T) {
	config := []byte(tinyLlama)
	m, err := New(config, model.Random{Seed: 1, Jitter: 0.1}, model.LoadOptions{})
	require.NoError(t, err)
	for _, dt := range []tensor.Dtype{tensor.BFloat16, tensor.Float16, tensor.Float64} {
		dir := t.TempDir() // exists: files are replaced one by one
		require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o600))
		require.NoError(t, Save(dir, &Checkpoint{Model: m}, SaveOptions{Dtype: dt}))
		require.FileExists(t, filepath.Join(dir, "notes.txt"))
		raw, err := os.ReadFile(filepath.Join(dir, configFile))
		require.NoError(t, err)
		var fields map[string]any
		require.NoError(t, json.Unmarshal(raw, &fields))
		assert.Equal(t, "kept", fields["a_field_of_the_future"])
		assert.Equal(t, dt.String() == "float64", fields["torch_dtype"] == "float64")
		c, err := Open(dir, Options{NoTokenizer: true, Weights: dt})
		require.NoError(t, err)
		for name, p := range m.Params() {
			want, err := p.Convert(dt)
			require.NoError(t, err)
			for again, q := range c.Model.Params() {
				if again == name && len(p.Shape()) > 1 {
					require.Equal(t, memory(want), memory(q), name)
				}
			}
		}
	}
}

func TestSaveRefusesWhatATypeCannotHold(t *testing.T) {
	m, err := New([]byte(tinyLlama), model.Random{Seed: 1}, model.LoadOptions{})
	require.NoError(t, err)
	m.Head().Data()[3] = 1e6
	dir := filepath.Join(t.TempDir(), "new")
	err = Save(dir, &Checkpoint{Model: m}, SaveOptions{Dtype: tensor.Float16})
	require.ErrorIs(t, err, model.ErrBadWeight)
	assert.ErrorContains(t, err, "element 3")
	assert.NoDirExists(t, dir)
}

func TestMappedWeightsAreThoseOfTheFile(t *testing.T) {
	m, err := New([]byte(tinyLlama), model.Random{Seed: 2}, model.LoadOptions{})
	require.NoError(t, err)
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.BFloat16, tensor.Float16} {
		dir := t.TempDir()
		require.NoError(t, Save(dir, &Checkpoint{Model: m}, SaveOptions{Dtype: dt}))
		plain, err := Open(dir, Options{NoTokenizer: true})
		require.NoError(t, err)
		mapped, err := Open(dir, Options{NoTokenizer: true, Mapped: true})
		require.NoError(t, err)
		requireEqualWeights(t, plain.Model, mapped.Model)
		rows := [][]int32{{1, 2, 3}}
		a, err := modeltest.Compute(plain.Model, rows, modeltest.PassOptions{})
		require.NoError(t, err)
		b, err := modeltest.Compute(mapped.Model, rows, modeltest.PassOptions{})
		require.NoError(t, err)
		assert.Equal(t, a.LogProb, b.LogProb)
		require.NoError(t, mapped.Close())
		require.NoError(t, mapped.Close(), "a second Close does nothing")
	}
}

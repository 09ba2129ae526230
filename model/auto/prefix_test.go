package auto

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNamesWithoutTheirPrefix wants GPT-2 as it was published first, without
// "transformer." and with causal masks, to be the same model.
func TestNamesWithoutTheirPrefix(t *testing.T) {
	config := []byte(`{"model_type": "gpt2", "vocab_size": 29, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}`)
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.BFloat16, tensor.Float16} {
		m, err := New(config, model.Random{Seed: 1, Jitter: 0.1}, model.LoadOptions{Weights: dt})
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, configFile), config, 0o600))
		mask := safetensors.Info{Name: "h.0.attn.bias", Dtype: safetensors.F32, Shape: []int{1, 1, 2, 2}}
		infos := []safetensors.Info{mask}
		for name, p := range m.Params() {
			stored, err := storedType(p.Dtype())
			require.NoError(t, err)
			infos = append(infos, safetensors.Info{Name: strings.TrimPrefix(name, "transformer."), Dtype: stored, Shape: p.Shape()})
		}
		w, err := safetensors.CreateFolder(dir, infos, safetensors.FolderOptions{})
		require.NoError(t, err)
		require.NoError(t, w.WriteFloat32(mask.Name, []float32{1, 0, 1, 1}))
		for name, p := range m.Params() {
			require.NoError(t, w.Write(strings.TrimPrefix(name, "transformer."), memory(p)))
		}
		require.NoError(t, w.Close())
		for _, mapped := range []bool{false, true} {
			c, err := Open(dir, Options{NoTokenizer: true, Mapped: mapped, Weights: dt})
			require.NoError(t, err)
			read := map[string]*tensor.Param{}
			for name, p := range c.Model.Params() {
				read[name] = p
			}
			for name, p := range m.Params() {
				require.Contains(t, read, name)
				assert.Equal(t, p.Float32s(), read[name].Float32s(), name)
			}
			require.NoError(t, c.Close())
		}
	}
}

// TestTransposeKeepsTypes wants matrices of every type to be turned round.
func TestTransposeKeepsTypes(t *testing.T) {
	p, err := tensor.NewParam("w", []float32{1, 2, 3, 4, 5, 6}, 2, 3)
	require.NoError(t, err)
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.BFloat16, tensor.Float16} {
		q, err := p.Convert(dt)
		require.NoError(t, err)
		q, err = transpose(q)
		require.NoError(t, err)
		assert.Equal(t, dt, q.Dtype())
		assert.Equal(t, []int{3, 2}, q.Shape())
		assert.Equal(t, []float32{1, 4, 2, 5, 3, 6}, q.Float32s())
	}
	v, err := tensor.NewParam("v", []float32{1}, 1)
	require.NoError(t, err)
	_, err = transpose(v)
	assert.ErrorIs(t, err, model.ErrBadWeight)
}

package lora_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sumTolerance bounds float64 runs whose sums have another order.
const sumTolerance = 1e-11

// TestEveryFamilyTakesAdapters attaches to all linear layers, with all biases,
// trains nothing but asks for gradients, saves, loads and merges.
func TestEveryFamilyTakesAdapters(t *testing.T) {
	fields := `"vocab_size":50,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":2,"num_attention_heads":2,"max_position_embeddings":64,"head_dim":8,
		"num_experts":4,"num_local_experts":4,"num_experts_per_tok":2,"moe_intermediate_size":12}`
	for _, f := range auto.Families() {
		t.Run(f.ModelType, func(t *testing.T) {
			config := `{"model_type":"` + f.ModelType + `",` + fields
			m := tiny(t, config, tensor.Float64)
			a, err := lora.Attach(m, "a", lora.Config{Rank: 3, Biases: lora.AllBiases, Seed: 7})
			require.NoError(t, err)
			scramble(a)
			require.NoError(t, a.SetTrainable(true))
			active, err := modeltest.Compute(trained{m, a}, tinyRows, modeltest.PassOptions{Adapter: "a", Logits: true, Weights: ones(tinyRows)})
			require.NoError(t, err)
			for path := range m.Linears() {
				if strings.Contains(path, ".experts.") {
					continue // few tokens may not reach every expert
				}
				for _, part := range []string{".lora_A.a", ".lora_B.a"} {
					assert.Positive(t, modeltest.Norm(active.Grads[path+part]), path+part)
				}
			}
			for path, n := range m.Norms() {
				_, ok := active.Grads[path+".bias.a"]
				assert.Equal(t, n.Bias != nil, ok, path)
			}
			dir := t.TempDir()
			require.NoError(t, a.Save(dir, "base"))
			compareTurned(t, m, dir)
			again := tiny(t, config, tensor.Float64)
			_, err = lora.Load(again, "a", dir)
			require.NoError(t, err)
			near(t, active.Logits, compute(t, again, "a").Logits, "loaded")
			_, err = a.Merge()
			require.NoError(t, err)
			near(t, active.Logits, compute(t, m, "").Logits, "merged")
		})
	}
}

func near(t *testing.T, want, got []float64, what string) {
	t.Helper()
	d, size := modeltest.Farthest(got, want)
	assert.LessOrEqual(t, d, sumTolerance*size, what)
}

// compareTurned wants adapter_config.json to say which way round weights are.
func compareTurned(t *testing.T, m model.Model, dir string) {
	raw, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
	require.NoError(t, err)
	var c struct {
		FanInFanOut bool `json:"fan_in_fan_out"`
	}
	require.NoError(t, json.Unmarshal(raw, &c))
	for path, l := range m.Linears() {
		assert.Equal(t, l.Transposed, c.FanInFanOut, path)
	}
}

// TestLayerNormsAreSavedWhole wants a LayerNorm's weight and bias both to be
// copied and trained, and merging to put them in their places.
func TestLayerNormsAreSavedWhole(t *testing.T) {
	m := tiny(t, `{"model_type":"gpt2","vocab_size":50,"n_embd":16,"n_layer":2,"n_head":4,"n_positions":64}`, tensor.Float64)
	a, err := lora.Attach(m, "a", lora.Config{Rank: 2, Targets: []string{"c_attn"}, ModulesToSave: []string{"ln_f"}})
	require.NoError(t, err)
	scramble(a)
	var names []string
	for name := range a.Params() {
		names = append(names, name)
	}
	assert.Equal(t, 2, len(slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, "transformer.ln_f.") })), "weight and bias")
	active := compute(t, m, "a").Logits
	_, err = a.Merge()
	require.NoError(t, err)
	near(t, active, compute(t, m, "").Logits, "merged")
}

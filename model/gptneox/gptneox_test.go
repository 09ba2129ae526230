package gptneox_test

import (
	"fmt"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/gptneox"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sizes = `{"model_type": "gpt_neox", "vocab_size": 29, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
	"num_attention_heads": 2, "max_position_embeddings": 64`

func TestConformance(t *testing.T) {
	modeltest.Run(t, gptneox.Families()[0], sizes+`, "rotary_pct": 0.5, "layer_norm_eps": 1e-3}`)
}

func TestConformanceWithoutParallelResidual(t *testing.T) {
	modeltest.Run(t, gptneox.Families()[0], sizes+`, "use_parallel_residual": false, "tie_word_embeddings": true}`)
}

// TestNamesOfFields wants the family's own names to be read.
func TestNamesOfFields(t *testing.T) {
	m, err := modeltest.Tiny(gptneox.Families()[0], sizes+`, "rotary_pct": 0.5, "rotary_emb_base": 500, "layer_norm_eps": 1e-3}`, 1, tensor.Float32)
	require.NoError(t, err)
	c := m.Config()
	assert.Equal(t, []float64{0.5, 500, 1e-3}, []float64{c.RoPE.PartialRotaryFactor, c.RoPE.Theta, c.RMSNormEps})
	m, err = modeltest.Tiny(gptneox.Families()[0], sizes+`}`, 1, tensor.Float32)
	require.NoError(t, err)
	assert.Equal(t, 0.25, m.Config().RoPE.PartialRotaryFactor)
	_, err = modeltest.Tiny(gptneox.Families()[0], sizes+`, "use_parallel_residual": 3}`, 1, tensor.Float32)
	assert.ErrorIs(t, err, model.ErrConfig)
}

// TestMasksOfOldCheckpoints wants the causal masks that old files hold to be
// accepted.
func TestMasksOfOldCheckpoints(t *testing.T) {
	f := gptneox.Families()[0]
	m, err := modeltest.Tiny(f, sizes+`}`, 1, tensor.Float32)
	require.NoError(t, err)
	w, err := model.CopyWeights(m)
	require.NoError(t, err)
	mask, err := tensor.NewParam("gpt_neox.layers.1.attention.bias", make([]float32, 9), 3, 3)
	require.NoError(t, err)
	w[mask.Name()] = mask
	_, err = f.New(m.Config(), model.NewLoader(m.Config(), w, model.LoadOptions{}))
	assert.NoError(t, err)
}

func ExampleFamilies() {
	for _, f := range gptneox.Families() {
		fmt.Println(f.ModelType, f.Class)
	}
	// Output:
	// gpt_neox GPTNeoXForCausalLM
}

package gpt2_test

import (
	"fmt"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/gpt2"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sizes = `{"model_type": "gpt2", "vocab_size": 29, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64`

func TestConformance(t *testing.T) {
	modeltest.Run(t, gpt2.Families()[0], sizes+`, "n_inner": null}`)
}

func TestConformanceUntied(t *testing.T) {
	modeltest.Run(t, gpt2.Families()[0], sizes+`, "n_inner": 20, "activation_function": "gelu", "tie_word_embeddings": false,
		"scale_attn_by_inverse_layer_idx": true, "layer_norm_epsilon": 1e-3}`)
}

func hidden(t *testing.T, config string) []float64 {
	m, err := modeltest.Tiny(gpt2.Families()[0], config, 1, tensor.Float64)
	require.NoError(t, err)
	p, err := modeltest.Compute(m, [][]int32{{3, 1, 4, 1, 5, 9, 2, 6}}, modeltest.PassOptions{})
	require.NoError(t, err)
	return p.Hidden
}

// TestSettings wants the settings of scores to count, and the size of the MLP to
// be four times the width.
func TestSettings(t *testing.T) {
	usual := hidden(t, sizes+`}`)
	assert.Equal(t, usual, hidden(t, sizes+`, "n_inner": 64, "scale_attn_weights": true}`))
	assert.NotEqual(t, usual, hidden(t, sizes+`, "scale_attn_weights": false}`))
	assert.NotEqual(t, usual, hidden(t, sizes+`, "scale_attn_by_inverse_layer_idx": true}`))
}

func TestFaults(t *testing.T) {
	for want, config := range map[string]string{
		"add_cross_attention":           sizes + `, "add_cross_attention": true}`,
		"scale_attn_weights":            sizes + `, "scale_attn_weights": 1}`,
		"max_position_embeddings is -1": `{"model_type": "gpt2", "vocab_size": 29, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": -1}`,
	} {
		_, err := modeltest.Tiny(gpt2.Families()[0], config, 1, tensor.Float32)
		require.ErrorIs(t, err, model.ErrConfig, want)
		assert.ErrorContains(t, err, want)
	}
}

// TestPositionsEnd wants a text that is longer than the table of positions to be
// an error.
func TestPositionsEnd(t *testing.T) {
	m, err := modeltest.Tiny(gpt2.Families()[0], sizes+`}`, 1, tensor.Float32)
	require.NoError(t, err)
	_, err = modeltest.Compute(m, [][]int32{make([]int32, 64)}, modeltest.PassOptions{})
	require.NoError(t, err)
	_, err = modeltest.Compute(m, [][]int32{make([]int32, 65)}, modeltest.PassOptions{})
	assert.ErrorContains(t, err, "64")
}

func ExampleFamilies() {
	for _, f := range gpt2.Families() {
		fmt.Println(f.ModelType, f.Class)
	}
	// Output:
	// gpt2 GPT2LMHeadModel
}

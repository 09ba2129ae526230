package smollm_test

import (
	"fmt"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/smollm"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sizes = `{"model_type": "smollm3", "vocab_size": 29, "hidden_size": 16, "intermediate_size": 24,
	"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64`

func TestConformance(t *testing.T) {
	modeltest.Run(t, smollm.Families()[0], sizes+`, "num_hidden_layers": 3, "no_rope_layers": [1, 0, 1],
		"use_sliding_window": true, "sliding_window": 4}`)
}

func hidden(t *testing.T, config string) []float64 {
	m, err := modeltest.Tiny(smollm.Families()[0], config, 1, tensor.Float64)
	require.NoError(t, err)
	p, err := modeltest.Compute(m, [][]int32{{3, 1, 4, 1, 5, 9, 2, 6}}, modeltest.PassOptions{})
	require.NoError(t, err)
	return p.Hidden
}

// TestWhichLayersRotate wants the list, the interval and the default to say the
// same, and a window to be in the layers without positions.
func TestWhichLayersRotate(t *testing.T) {
	four := sizes + `, "num_hidden_layers": 4`
	want := hidden(t, four+`, "no_rope_layers": [1, 1, 1, 0]}`)
	assert.Equal(t, want, hidden(t, four+`}`))
	assert.NotEqual(t, want, hidden(t, four+`, "no_rope_layers": [1, 1, 1, 1]}`))
	two := hidden(t, four+`, "no_rope_layer_interval": 2}`)
	assert.Equal(t, two, hidden(t, four+`, "no_rope_layers": [1, 0, 1, 0]}`))
	assert.Equal(t, two, hidden(t, four+`, "no_rope_layer_interval": 2, "sliding_window": 4}`), "the window is off by default")
	window := four + `, "no_rope_layer_interval": 2, "use_sliding_window": true, "sliding_window": 4`
	assert.NotEqual(t, two, hidden(t, window+`}`))
	listed := `, "layer_types": ["full_attention", "sliding_attention", "full_attention", "sliding_attention"]}`
	assert.Equal(t, hidden(t, window+listed), hidden(t, window+`}`))
}

func TestFaults(t *testing.T) {
	for name, c := range map[string][2]string{
		"too few":     {`, "no_rope_layers": [1]}`, "no_rope_layers has 1 entries for 2 layers"},
		"no interval": {`, "no_rope_layer_interval": 0}`, "no_rope_layer_interval is 0"},
		"no list":     {`, "no_rope_layers": "x"}`, "no_rope_layers"},
	} {
		_, err := modeltest.Tiny(smollm.Families()[0], sizes+`, "num_hidden_layers": 2`+c[0], 1, tensor.Float32)
		require.ErrorIs(t, err, model.ErrConfig, name)
		assert.ErrorContains(t, err, c[1], name)
	}
}

func ExampleFamilies() {
	for _, f := range smollm.Families() {
		fmt.Println(f.ModelType, f.Class)
	}
	// Output:
	// smollm3 SmolLM3ForCausalLM
}

package granite_test

import (
	"fmt"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/granite"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sizes = `{"model_type": "granite", "vocab_size": 29, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
	"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64`

func TestConformance(t *testing.T) {
	modeltest.Run(t, granite.Families()[0], sizes+`, "tie_word_embeddings": true, "attention_bias": true, "mlp_bias": true,
		"embedding_multiplier": 3.0, "attention_multiplier": 0.3, "residual_multiplier": 0.4, "logits_scaling": 1.7}`)
}

// TestMultipliersAreOne wants factors that a file leaves out to be 1, the one of
// attention too.
func TestMultipliersAreOne(t *testing.T) {
	m, err := modeltest.Tiny(granite.Families()[0], sizes+`}`, 1, tensor.Float32)
	require.NoError(t, err)
	c := m.Config()
	assert.Equal(t, []float64{1, 1, 1}, []float64{c.EmbedScale, c.LogitScale, c.QueryScale})
}

func TestFaults(t *testing.T) {
	for _, field := range []string{"embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling"} {
		_, err := modeltest.Tiny(granite.Families()[0], sizes+`, "`+field+`": 0}`, 1, tensor.Float32)
		require.ErrorIs(t, err, model.ErrConfig)
		assert.ErrorContains(t, err, field+" 0")
		_, err = modeltest.Tiny(granite.Families()[0], sizes+`, "`+field+`": "x"}`, 1, tensor.Float32)
		require.ErrorIs(t, err, model.ErrConfig)
		assert.ErrorContains(t, err, field)
	}
}

func ExampleFamilies() {
	for _, f := range granite.Families() {
		fmt.Println(f.ModelType, f.Class)
	}
	// Output:
	// granite GraniteForCausalLM
}

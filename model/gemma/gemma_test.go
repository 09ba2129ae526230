package gemma_test

import (
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/gemma"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConformance(t *testing.T) {
	sizes := `"vocab_size": 37, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1,
		"head_dim": 10, "max_position_embeddings": 64`
	for i, special := range []string{
		`"num_hidden_layers": 2`,
		`"num_hidden_layers": 2, "query_pre_attn_scalar": 12, "sliding_window": 4, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0`,
		`"num_hidden_layers": 3, "query_pre_attn_scalar": 12, "sliding_window": 4, "sliding_window_pattern": 3,
			"rope_scaling": {"rope_type": "linear", "factor": 8.0}`,
	} {
		f := gemma.Families()[i]
		t.Run(f.ModelType, func(t *testing.T) {
			modeltest.Run(t, f, `{"model_type": "`+f.ModelType+`", `+sizes+`, `+special+`}`)
		})
	}
}

// TestDefaultsOfGemma2 wants the soft caps that a file leaves out, and none where
// it says null.
func TestDefaultsOfGemma2(t *testing.T) {
	const sizes = `{"model_type": "gemma2", "vocab_size": 37, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 4,
		"num_attention_heads": 2, "head_dim": 10, "max_position_embeddings": 64`
	two := gemma.Families()[1]
	c, err := model.ParseConfig([]byte(sizes+`}`), two.Defaults)
	require.NoError(t, err)
	assert.Equal(t, []float64{50, 30, 256}, []float64{c.AttnSoftCap, c.FinalSoftCap, c.QueryScale})
	assert.Equal(t, []bool{true, false, true, false}, []bool{c.Sliding(0), c.Sliding(1), c.Sliding(2), c.Sliding(3)})
	c, err = model.ParseConfig([]byte(sizes+`, "attn_logit_softcapping": null, "final_logit_softcapping": null}`), two.Defaults)
	require.NoError(t, err)
	assert.Zero(t, c.AttnSoftCap)
	assert.Zero(t, c.FinalSoftCap)
	_, err = model.ParseConfig([]byte(sizes+`, "final_logit_softcapping": -1}`), two.Defaults)
	require.ErrorIs(t, err, model.ErrConfig)
	assert.ErrorContains(t, err, "final_logit_softcapping is -1")
}

// TestOldActivationOfGemma1 wants "gelu" to mean its approximation by tanh.
func TestOldActivationOfGemma1(t *testing.T) {
	config := func(act string) string {
		return `{"model_type": "gemma", "vocab_size": 37, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
			"num_attention_heads": 2, "head_dim": 10, "max_position_embeddings": 64, "hidden_act": "` + act + `"}`
	}
	var logProbs [2][]float64
	for i, act := range []string{"gelu", "gelu_pytorch_tanh"} {
		m, err := modeltest.Tiny(gemma.Families()[0], config(act), 1, tensor.Float64)
		require.NoError(t, err)
		p, err := modeltest.Compute(m, [][]int32{{3, 1, 4, 1, 5}}, modeltest.PassOptions{})
		require.NoError(t, err)
		logProbs[i] = p.LogProb
	}
	assert.Equal(t, logProbs[1], logProbs[0])
}

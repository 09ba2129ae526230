package mixtral_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/mixtral"
	"github.com/posttrain/posttrain/model/modeltest"
)

const tinyConfig = `{"model_type": "mixtral", "vocab_size": 31, "hidden_size": 16, "intermediate_size": 12, "num_hidden_layers": 2,
	"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "num_local_experts": 4, "num_experts_per_tok": 2}`

func TestConformance(t *testing.T) {
	modeltest.Run(t, mixtral.Families()[0], tinyConfig)
}

// mergeTolerance is relative to the largest logit: the merged weight is rounded once.
const mergeTolerance = 2e-6

// TestLoRAOnExperts compares an adapter on all linear layers, experts too, with the
// model it is merged into.
func TestLoRAOnExperts(t *testing.T) {
	c, err := model.ParseConfig([]byte(tinyConfig), mixtral.Families()[0].Defaults)
	require.NoError(t, err)
	m, err := mixtral.New(c, model.NewLoader(c, model.Random{Seed: 3, Std: 0.2}, model.LoadOptions{}))
	require.NoError(t, err)
	a, err := lora.Attach(m, "a", lora.Config{Rank: 2})
	require.NoError(t, err)
	onExperts := 0
	for name, p := range a.Params() {
		for i := range p.Data() {
			p.Data()[i] = float32((i*7)%11-5) / 40
		}
		if strings.Contains(name, ".experts.") {
			onExperts++
		}
	}
	assert.Equal(t, 2*4*3*2, onExperts, "two halves of three layers of four experts in two layers")
	rows := [][]int32{{1, 2, 3, 4, 5, 6, 7, 8, 9}, {30, 20, 10}}
	base, err := modeltest.Compute(m, rows, modeltest.PassOptions{Logits: true})
	require.NoError(t, err)
	active, err := modeltest.Compute(m, rows, modeltest.PassOptions{Logits: true, Adapter: "a"})
	require.NoError(t, err)
	_, err = a.Merge()
	require.NoError(t, err)
	merged, err := modeltest.Compute(m, rows, modeltest.PassOptions{Logits: true})
	require.NoError(t, err)
	d, size := modeltest.Farthest(merged.Logits, active.Logits)
	assert.LessOrEqual(t, d, mergeTolerance*size)
	d, _ = modeltest.Farthest(base.Logits, active.Logits)
	assert.Greater(t, d, 1e-2, "the adapter does something")
}

package lora_test

import (
	"encoding/json"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// headed is a tiny model with a head.
func headed(t testing.TB, kind model.HeadKind, labels int) model.Headed {
	t.Helper()
	m := tiny(t, llamaConfig, tensor.Float64)
	h, err := model.NewHead(m, kind, model.Labels(labels), 3)
	require.NoError(t, err)
	return model.Headed{Model: m, Score: h}
}

func scores(t testing.TB, m model.Headed, adapter string) []float64 {
	t.Helper()
	s, err := modeltest.ComputeScores(m, tinyRows, modeltest.ScoreOptions{Adapter: adapter})
	require.NoError(t, err)
	return s.Scores
}

// TestAnAdapterTrainsTheHeadToo saves adapters of models with heads as PEFT does,
// and reads them back.
func TestAnAdapterTrainsTheHeadToo(t *testing.T) {
	for _, c := range []struct {
		kind   model.HeadKind
		labels int
		task   string
		path   string
	}{
		{model.SequenceClassification, 1, "SEQ_CLS", "score"}, {model.SequenceClassification, 3, "SEQ_CLS", "score"},
		{model.TokenClassification, 2, "TOKEN_CLS", "score"}, {model.Value, 1, "CAUSAL_LM", "v_head.summary"},
	} {
		t.Run(c.kind.String(), func(t *testing.T) {
			m, dir := headed(t, c.kind, c.labels), t.TempDir()
			base := scores(t, m, "")
			a, err := lora.Attach(m, "a", lora.Config{Rank: 3})
			require.NoError(t, err)
			assert.Equal(t, base, scores(t, m, "a"))
			scramble(a)
			want := scores(t, m, "a")
			assert.NotEqual(t, base, want)
			assert.Equal(t, base, scores(t, m, ""))
			require.NoError(t, a.Save(dir, "base"))

			raw, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
			require.NoError(t, err)
			var fields map[string]any
			require.NoError(t, json.Unmarshal(raw, &fields))
			assert.Equal(t, c.task, fields["task_type"])
			assert.Equal(t, []any{c.path}, fields["modules_to_save"])
			f, err := safetensors.Open(filepath.Join(dir, "adapter_model.safetensors"))
			require.NoError(t, err)
			defer f.Close()
			x, err := f.Tensor("base_model.model." + c.path + ".weight")
			require.NoError(t, err)
			assert.Equal(t, []int{c.labels, 16}, x.Shape())

			fresh := headed(t, c.kind, c.labels)
			_, err = lora.Load(fresh, "b", dir)
			require.NoError(t, err)
			assert.Equal(t, want, scores(t, fresh, "b"))
			_, err = lora.Load(fresh.Model, "c", dir)
			assert.ErrorContains(t, err, "tensor base_model.model."+c.path)
			_, err = a.Merge()
			require.NoError(t, err)
			assert.InDeltaSlice(t, want, scores(t, m, ""), 1e-12, "merged in float64")
		})
	}
}

// adapterOf shows the parameters of an adapter as those of a model with a head.
type adapterOf struct {
	model.Model
	a *lora.Adapter
}

// Params lists the adapter's parameters.
func (m adapterOf) Params() iter.Seq2[string, *tensor.Param] { return m.a.Params() }

// TestTheBaseHeadIsNotTrained wants gradients of the adapter's copy alone.
func TestTheBaseHeadIsNotTrained(t *testing.T) {
	m := headed(t, model.SequenceClassification, 1)
	for _, p := range m.Score.Params() {
		require.NoError(t, p.SetTrainable(false))
	}
	a, err := lora.Attach(m, "a", lora.Config{Rank: 3})
	require.NoError(t, err)
	scramble(a)
	own := model.Headed{Model: adapterOf{m.Model, a}, Score: m.Score}
	s, err := modeltest.ComputeScores(own, tinyRows, modeltest.ScoreOptions{Adapter: "a", Last: true, Upstream: func(s []float64) []float64 { return []float64{1, -1} }})
	require.NoError(t, err)
	assert.NotContains(t, s.Grads, "score.weight")
	require.Contains(t, s.Grads, "score.weight.a")
	_, largest := modeltest.Farthest(s.Grads["score.weight.a"], s.Grads["score.weight.a"])
	assert.Positive(t, largest)
}

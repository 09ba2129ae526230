package model_test

import (
	"slices"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/llama"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// headModel is a tiny model with random weights and a head of its own.
func headModel(t *testing.T, modelType string, dt tensor.Dtype) model.Model {
	raw := `{"model_type": "` + modelType + `", "vocab_size": 31, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": false}`
	m, err := auto.New([]byte(raw), model.Random{Seed: 1, Std: 0.3, Jitter: 0.1}, model.LoadOptions{Weights: dt})
	require.NoError(t, err)
	return m
}

// names lists the parameters of a head and their shapes.
func names(h *model.Head) (list []string, shapes [][]int) {
	for n, p := range h.Params() {
		list, shapes = append(list, n), append(shapes, p.Shape())
	}
	return list, shapes
}

func TestNewHeadHasTheLayerOfTransformers(t *testing.T) {
	for _, c := range []struct {
		family string
		kind   model.HeadKind
		labels []string
		names  []string
		shapes [][]int
	}{
		{"llama", model.SequenceClassification, nil, []string{"score.weight"}, [][]int{{1, 16}}},
		{"qwen3", model.TokenClassification, model.Labels(3), []string{"score.weight", "score.bias"}, [][]int{{3, 16}, {3}}},
		{"gpt_neox", model.TokenClassification, model.Labels(2), []string{"classifier.weight", "classifier.bias"}, [][]int{{2, 16}, {2}}},
		{"gpt2", model.SequenceClassification, model.Labels(2), []string{"score.weight"}, [][]int{{2, 16}}},
		{"qwen2", model.Value, nil, []string{"v_head.summary.weight", "v_head.summary.bias"}, [][]int{{1, 16}, {1}}},
	} {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			h, err := model.NewHead(headModel(t, c.family, dt), c.kind, c.labels, 7)
			require.NoError(t, err)
			got, shapes := names(h)
			assert.Equal(t, c.names, got)
			assert.Equal(t, c.shapes, shapes)
			for _, p := range h.Params() {
				assert.Equal(t, dt, p.Dtype())
				assert.True(t, p.Trainable())
			}
			assert.Equal(t, c.kind == model.Value, !slices.ContainsFunc(wide(t, h.Linear.Weight), func(x float64) bool { return x != 0 }))
		}
	}
}

func wide(t *testing.T, p *tensor.Param) []float64 {
	w, err := p.Convert(tensor.Float64)
	require.NoError(t, err)
	return w.Data64()
}

func TestNewHeadReportsFaults(t *testing.T) {
	m := headModel(t, "llama", tensor.Float32)
	_, err := model.NewHead(m, 0, nil, 1)
	require.ErrorIs(t, err, model.ErrHead)
	assert.ErrorContains(t, err, "kind is HeadKind(0), want SequenceClassification, TokenClassification or Value")
	_, err = model.NewHead(m, model.Value, model.Labels(2), 1)
	assert.ErrorContains(t, err, "a value head has 2 labels, want 1")
}

func TestScoresAreOfTheLastTokenOrOfAnyRow(t *testing.T) {
	m := headModel(t, "llama", tensor.Float64)
	h, err := model.NewHead(m, model.SequenceClassification, model.Labels(2), 3)
	require.NoError(t, err)
	rows := [][]int32{{1, 2, 3}, {4, 5, 6, 7}}
	assert.Equal(t, []int32{2, 6}, model.Batch{Ends: []int32{3, 7}}.LastRows(nil))
	pass, err := modeltest.Compute(m, rows, modeltest.PassOptions{})
	require.NoError(t, err)
	both := model.Headed{Model: m, Score: h}
	all, err := modeltest.ComputeScores(both, rows, modeltest.ScoreOptions{})
	require.NoError(t, err)
	some, err := modeltest.ComputeScores(both, rows, modeltest.ScoreOptions{Last: true})
	require.NoError(t, err)
	w := wide(t, h.Linear.Weight)
	for i, row := range []int{2, 6} {
		for c := range 2 {
			want := 0.0
			for d := range 16 {
				want += pass.Hidden[row*16+d] * w[c*16+d]
			}
			assert.InDelta(t, want, some.Scores[i*2+c], 1e-13)
			assert.InDelta(t, want, all.Scores[row*2+c], 1e-13)
		}
	}
}

func TestHeadedListsTheHeadInPlaceOfTheLanguageHead(t *testing.T) {
	m := headModel(t, "llama", tensor.Float32)
	for _, kind := range []model.HeadKind{model.SequenceClassification, model.Value} {
		h, err := model.NewHead(m, kind, nil, 1)
		require.NoError(t, err)
		var list []string
		for n := range (model.Headed{Model: m, Score: h}).Params() {
			list = append(list, n)
		}
		assert.Equal(t, kind == model.Value, slices.Contains(list, "lm_head.weight"))
		assert.Contains(t, list, h.Linear.Path+".weight")
	}
}

func TestAModelWithoutLanguageHeadHasNoDistribution(t *testing.T) {
	c := *headModel(t, "llama", tensor.Float32).Config()
	c.NoLanguageHead = true
	m, err := llama.New(&c, model.NewLoader(&c, model.Random{}, model.LoadOptions{}))
	require.NoError(t, err)
	for n := range m.Params() {
		assert.NotEqual(t, "lm_head.weight", n)
	}
	_, err = tensor.Build(func(g *tensor.Graph) {
		input := func(name string) *tensor.Node { return tensor.Input(g, tensor.Int32, name, 2) }
		in := model.Inputs{Tokens: input("tokens"), Positions: input("positions"), Ends: input("ends"), Prefix: input("prefix")}
		model.Distribution(m, &in, m.Hidden(g, &in))
	})
	assert.ErrorContains(t, err, "want a model with a language head")
}

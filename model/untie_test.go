package model_test

import (
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

func TestUntie(t *testing.T) {
	c, family, err := auto.ParseConfig([]byte(`{"model_type":"llama","vocab_size":5,"hidden_size":4,"intermediate_size":4,"num_hidden_layers":1,
		"num_attention_heads":2,"num_key_value_heads":2,"max_position_embeddings":8,"hidden_act":"silu","tie_word_embeddings":true}`))
	require.NoError(t, err)
	m, err := family.New(c, model.NewLoader(c, model.Random{}, model.LoadOptions{}))
	require.NoError(t, err)
	require.True(t, model.Tied(m))
	total, _ := model.ParamCount(m)

	u := m.(model.Untier)
	small, err := tensor.NewParam("lm_head.weight", make([]float32, 8), 2, 4)
	require.NoError(t, err)
	require.ErrorIs(t, u.Untie(small), model.ErrBadWeight)
	require.True(t, model.Tied(m))
	head, err := tensor.NewParam("lm_head.weight", make([]float32, 20), 5, 4)
	require.NoError(t, err)
	require.NoError(t, u.Untie(head))
	require.False(t, model.Tied(m))
	require.Same(t, head, m.Head())
	require.False(t, m.Config().TieWordEmbeddings)
	require.True(t, c.TieWordEmbeddings, "the configuration that the model was made from is another's")
	now, _ := model.ParamCount(m)
	require.Equal(t, total+20, now)
	require.ErrorContains(t, u.Untie(head), "want a tied one")
}

package reward_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// What was trained is written as folders that others read, and scores the same
// when it is opened again: a sequence-classification model, and a PEFT adapter
// with its copy of the head.
func TestResultsAreReadBack(t *testing.T) {
	for _, root := range oracle.Roots(t, "trainers/trajectories") {
		for name, full := range map[string]bool{"model": true, "adapter": false} {
			t.Run(name, func(t *testing.T) { readBack(t, filepath.Join(root, "model-llama"), full) })
		}
	}
}

func readBack(t *testing.T, path string, full bool) {
	open := func(path string) *auto.Checkpoint {
		c, err := auto.Open(path, auto.Options{Weights: tensor.Float32})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		return c
	}
	c := open(path)
	require.Nil(t, c.Head)
	var err error
	c.Head, err = model.NewHead(c.Model, model.SequenceClassification, nil, 1)
	require.NoError(t, err)
	head := c.Head.Linear.Weight.Data()
	start := append([]float32{}, head...)
	n := reward.Net{Model: c.Model, Head: c.Head}
	out := filepath.Join(t.TempDir(), "run")
	o := reward.Options{}
	if full {
		o.Export = func(dir string) error { return auto.Save(dir, c, auto.SaveOptions{}) }
	} else {
		n.Adapter, err = lora.Attach(n.Headed(), "default", lora.Config{Rank: 2})
		require.NoError(t, err)
	}
	loop := trial.Loop(3)
	loop.Out = out
	tr, err := reward.New(n, batcher(t, someGroups(6, 2), reward.BatchOptions{}), o, loop)
	require.NoError(t, err)
	require.NoError(t, tr.Train(t.Context(), train.Hooks{}))
	want := scores(t, n)

	var again reward.Net
	if full {
		raw, err := os.ReadFile(filepath.Join(out, "config.json"))
		require.NoError(t, err)
		assert.Contains(t, string(raw), "LlamaForSequenceClassification")
		opened := open(out)
		again = reward.Net{Model: opened.Model, Head: opened.Head}
	} else {
		raw, err := os.ReadFile(filepath.Join(out, "adapter_config.json"))
		require.NoError(t, err)
		assert.Contains(t, string(raw), `"SEQ_CLS"`)
		assert.Equal(t, start, head, "the base's own head is not trained")
		opened := open(path)
		again.Model = opened.Model
		again.Head, err = model.NewHead(opened.Model, model.SequenceClassification, nil, 9)
		require.NoError(t, err)
		again.Adapter, err = lora.Load(again.Headed(), "default", out)
		require.NoError(t, err)
	}
	assert.Equal(t, want, scores(t, again))
}

func scores(t *testing.T, n reward.Net) []float64 {
	m, err := reward.NewModel(n, reward.ModelOptions{})
	require.NoError(t, err)
	s, err := m.Score(t.Context(), []reward.Text{{Prompt: []int32{5, 6}, Completion: []int32{7, 8, 9}}, {Completion: []int32{10}}})
	require.NoError(t, err)
	return s
}

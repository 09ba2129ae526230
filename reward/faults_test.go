package reward_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

func TestOptionsReportAllFaults(t *testing.T) {
	for _, c := range []struct {
		o      reward.Options
		faults []string
	}{
		{reward.Options{Loss: reward.BradleyTerry{Centring: -1, LabelSmoothing: 0.5}, Capacity: reward.Capacity{Tokens: -1, Rows: 1 << 30}},
			[]string{"Centring is -1", "LabelSmoothing is 0.5", "Capacity.Tokens: got -1", "Capacity.Rows"}},
		{reward.Options{Loss: reward.Ordinal{Levels: []float64{1, 1}, Slope: math.NaN()}}, []string{"Levels[1] is 1", "Slope is NaN"}},
		{reward.Options{Loss: reward.Ordinal{}}, []string{"got 0 Levels"}},
	} {
		err := c.o.Validate()
		require.ErrorIs(t, err, reward.ErrTraining)
		for _, fault := range c.faults {
			assert.ErrorContains(t, err, fault)
		}
	}
	require.NoError(t, reward.Options{}.Validate())
}

func TestNewRefuses(t *testing.T) {
	pairs, singles := batcher(t, someGroups(5, 2), reward.BatchOptions{}), batcher(t, someGroups(5, 1), reward.BatchOptions{})
	net := tinyNet(t, "llama", tensor.Float32, 1)
	bare := net
	var err error
	bare.Adapter, err = lora.Attach(net.Model, "headless", lora.Config{})
	require.NoError(t, err)
	removed := adapted(t, net)
	removed.Adapter.Remove()
	wide := net
	wide.Head, err = model.NewHead(net.Model, model.SequenceClassification, model.Labels(3), 1)
	require.NoError(t, err)
	unlabelled := someGroups(3, 2)
	for i := range unlabelled {
		unlabelled[i].Labelled = false
	}
	tied := someGroups(1, 3)
	tied[0].Answers[1].Label = tied[0].Answers[0].Label
	for name, c := range map[string]struct {
		n    reward.Net
		src  reward.StepSource
		o    reward.Options
		loop train.Options
		text string
	}{
		"no model":         {src: pairs, text: "got no Model or no Head"},
		"no source":        {n: net, text: "no source"},
		"three labels":     {n: wide, src: pairs, text: "got 3 labels"},
		"options":          {n: net, src: pairs, loop: train.Options{MaxSteps: -1}, text: "MaxSteps"},
		"gone adapter":     {n: removed, src: pairs, text: "not attached"},
		"headless adapter": {n: bare, src: pairs, text: "no copy of the head"},
		"own evaluation":   {n: net, src: pairs, o: reward.Options{EvalData: pairs}, text: "source that is trained on"},
		"endless":          {n: net, src: pairs, o: reward.Options{EvalData: singles}, text: "never ends"},
		"other tokens":     {n: net, src: pairs, o: reward.Options{Loss: reward.Outcome{EveryToken: true}}, text: "want every token for the loss outcome_every_token"},
		"sum of means":     {n: net, src: pairs, o: reward.Options{SumOfMeans: true}, text: "want train.PerMicroBatch"},
		"no comparison":    {n: net, src: singles, text: "0 comparisons, want a comparison for the loss bradley_terry"},
		"no label":         {n: net, src: batcher(t, unlabelled, reward.BatchOptions{}), o: reward.Options{Loss: reward.Regression{}}, text: "answers without labels"},
		"a tie":            {n: net, src: batcher(t, tied, reward.BatchOptions{}), o: reward.Options{Loss: reward.PlackettLuce{}}, text: "want a ranking without ties"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.MemoryLimit = -1
			if c.loop.MaxSteps == 0 {
				c.loop.MaxSteps = 1
			}
			tr, err := reward.New(c.n, c.src, c.o, c.loop)
			if err == nil {
				for _, err = range tr.Steps(t.Context()) {
					break
				}
			}
			require.ErrorContains(t, err, c.text)
		})
	}
}

func TestTooLittleMemoryIsRefusedWithNumbers(t *testing.T) {
	n, src := adapted(t, tinyNet(t, "llama", tensor.Float32, 1)), batcher(t, someGroups(5, 2), reward.BatchOptions{TokensPerMicro: 64})
	_, err := reward.New(n, src, reward.Options{MemoryLimit: 1000}, trial.Loop(1))
	require.ErrorIs(t, err, reward.ErrMemory)
	require.ErrorContains(t, err, "activations")
	tr, err := reward.New(n, src, reward.Options{}, trial.Loop(1))
	require.NoError(t, err)
	got, err := tr.Memory()
	require.NoError(t, err)
	want, err := reward.PlanMemory(n, reward.Options{Capacity: src.Capacity()})
	require.NoError(t, err)
	require.Equal(t, want, got, "the plan is what is allocated")
}

func TestMicroBatchesThatDoNotFitAreRefused(t *testing.T) {
	var b reward.Batch
	b.Reset()
	for i, g := range someGroups(3, 2) {
		b.AddShared(g, reward.LastToken, int32(i))
	}
	n := tinyNet(t, "llama", tensor.Float32, 1)
	tr, err := reward.New(n, &trial.Steps[reward.Step]{List: []reward.Step{{Micro: []reward.Batch{b}}}}, reward.Options{Capacity: reward.Capacity{Groups: 2}}, trial.Loop(1))
	require.NoError(t, err)
	for _, err := range tr.Steps(t.Context()) {
		require.ErrorContains(t, err, "want at most")
	}
}

func TestModelRefuses(t *testing.T) {
	n := tinyNet(t, "llama", tensor.Float32, 1)
	_, err := reward.NewModel(reward.Net{}, reward.ModelOptions{})
	require.ErrorContains(t, err, "got no Model")
	_, err = reward.NewModel(n, reward.ModelOptions{Tokens: -1})
	require.ErrorContains(t, err, "got -1 Tokens")
	m, err := reward.NewModel(n, reward.ModelOptions{Tokens: 4})
	require.NoError(t, err)
	_, err = m.Score(t.Context(), []reward.Text{{Completion: []int32{1, 2, 3, 4, 5}}})
	require.ErrorContains(t, err, "text 0 has 5 tokens")
	_, err = m.Score(t.Context(), []reward.Text{{}})
	require.ErrorContains(t, err, "answer 0 is empty")
	_, err = m.Verify(t.Context(), reward.Sample{Completion: "x"})
	require.ErrorIs(t, err, reward.ErrOptions)
	_, err = m.ScoreAt(t.Context(), []reward.Text{{Completion: []int32{1}}}, [][]int{{5}})
	require.ErrorContains(t, err, "mark 0")
	s, err := m.Score(t.Context(), []reward.Text{{Prompt: []int32{1, 2}}, {Prompt: []int32{1, 2}, Completion: []int32{3}}, {Prompt: []int32{1, 2}}, {Completion: []int32{1, 2}}})
	require.NoError(t, err)
	assert.Len(t, s, 4)
	assert.InDelta(t, s[0], s[3], layoutTol32, "a prompt alone is scored at its last token")
	assert.InDelta(t, s[0], s[2], layoutTol32)
}

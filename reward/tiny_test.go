package reward_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// tinyNet is a random model with a random head.
func tinyNet(t testing.TB, family string, dt tensor.Dtype, labels int) reward.Net {
	t.Helper()
	m := trial.Model(t, family, dt)
	h, err := model.NewHead(m, model.SequenceClassification, model.Labels(labels), 2)
	require.NoError(t, err)
	trial.Randomise(t, h.Linear.Weight, 0.3, rand.New(rand.NewPCG(3, 5)))
	return reward.Net{Model: m, Head: h}
}

// adapted gives it an adapter that is not zero.
func adapted(t testing.TB, n reward.Net) reward.Net {
	t.Helper()
	n.Adapter = trial.Adapter(t, n.Headed(), lora.Config{}, false)
	return n
}

// someGroups are n groups of unequal lengths with so many answers each.
func someGroups(n, answers int) []reward.Group {
	rng := rand.New(rand.NewPCG(5, 6))
	ids := func(n int) []int32 { return trial.IDs(rng, n, trial.Vocab) }
	list := make([]reward.Group, n)
	for i := range list {
		g := reward.Group{Prompt: ids(1 + i*5%9), Labelled: true, Margin: 0.1 * float64(i%3)}
		for k := range answers {
			c := reward.Candidate{IDs: ids(1 + (i*3+k*4)%7), Label: float64(answers-k-1) / float64(max(1, answers-1))}
			c.Marks = []reward.Mark{{Token: len(c.IDs) - 1, Label: float64(i % 2)}}
			g.Answers = append(g.Answers, c)
		}
		g.At.Line = i + 1
		list[i] = g
	}
	return list
}

func batcher(t testing.TB, groups []reward.Group, o reward.BatchOptions) *reward.Batcher {
	t.Helper()
	b, err := reward.NewBatcher(groups, o)
	require.NoError(t, err)
	return b
}

// runSteps trains to the end.
func runSteps(t testing.TB, n reward.Net, src reward.StepSource, o reward.Options, loop train.Options) trial.Outcome {
	t.Helper()
	tr, err := reward.New(n, src, o, loop)
	require.NoError(t, err)
	return trial.Run(t, tr)
}

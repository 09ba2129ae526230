package ensemble_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo/online"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/ensemble"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// letters is a tokenizer that gives each character its code.
type letters struct{}

// AppendIDs implements data.Encoder.
func (letters) AppendIDs(dst []int32, text string, _ bool) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i]))
	}
	return dst
}

const tiny = `{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 128, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
	"num_attention_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "tie_word_embeddings": true}`

// net is a fresh reward model with so many labels; weights depend on the seed alone.
func net(t testing.TB, labels int, seed uint64) reward.Net {
	t.Helper()
	m, err := auto.New([]byte(tiny), model.Random{Seed: 1, Std: 0.3}, model.LoadOptions{})
	require.NoError(t, err)
	h, err := model.NewHead(m, model.SequenceClassification, model.Labels(labels), seed)
	require.NoError(t, err)
	for _, p := range h.Params() {
		for i := range p.Data() {
			p.Data()[i] *= 20
		}
		p.Changed()
	}
	n := reward.Net{Model: m, Head: h}
	if labels > 1 {
		n.Mix = ensemble.Uniform(labels)
	}
	return n
}

func open(t testing.TB, n reward.Net) *reward.Model {
	t.Helper()
	m, err := reward.NewModel(n, reward.ModelOptions{Encoder: letters{}, Tokens: 256})
	require.NoError(t, err)
	return m
}

var samples = []reward.Sample{{Prompt: "2+2=", Completion: "4"}, {Prompt: "2+2=", Completion: "5!"}, {Prompt: "say hi:", Completion: "hi"}, {Completion: "?"}}

func scores(t testing.TB, s ensemble.Scorer) []float64 {
	t.Helper()
	list, err := s.ScoreSamples(t.Context(), samples)
	require.NoError(t, err)
	return list
}

// Of separate models every rule gives what its formula says, on scores that were
// brought to one scale.
func TestMembersAreCombined(t *testing.T) {
	a, b := open(t, net(t, 1, 2)), open(t, net(t, 1, 3))
	e, err := ensemble.New("both", ensemble.Worst{}, a, b)
	require.NoError(t, err)
	x, y := scores(t, a), scores(t, b)
	for i, got := range scores(t, e) {
		assert.InDelta(t, math.Min(x[i], y[i]), got, 0)
	}
	standards, err := e.Standardise(t.Context(), samples)
	require.NoError(t, err)
	list, err := e.Judge(t.Context(), samples)
	require.NoError(t, err)
	for k, raw := range [][]float64{x, y} {
		sum, square := 0.0, 0.0
		for i := range list {
			assert.InDelta(t, (raw[i]-standards[k].Mean)/standards[k].Deviation, list[i].Members[k], 1e-12)
			sum, square = sum+list[i].Members[k], square+list[i].Members[k]*list[i].Members[k]
		}
		assert.InDelta(t, 0, sum, 1e-9)
		assert.InDelta(t, float64(len(list)), square, 1e-9)
	}
	for _, j := range list {
		assert.InDelta(t, math.Abs(j.Members[0]-j.Members[1])/2, j.Spread, 1e-12)
	}
}

// The labels of one head are the members that separate models with a row of the head
// each would be, and the uniform mix is their mean.
func TestHeadsAreMembers(t *testing.T) {
	n := net(t, 3, 4)
	e, err := ensemble.NewHeads(ensemble.Mean{}, open(t, n), n.Head.Labels)
	require.NoError(t, err)
	assert.InDeltaSlice(t, scores(t, open(t, n)), scores(t, e), 1e-6)
	list, err := e.Judge(t.Context(), samples)
	require.NoError(t, err)
	for i := range 3 {
		n.Mix = ensemble.Alone(i, 3)
		for k, s := range scores(t, open(t, n)) {
			assert.InDelta(t, s, list[k].Members[i], 1e-6)
		}
	}
	wrong, err := ensemble.NewHeads(ensemble.Mean{}, open(t, n), []string{"one"})
	require.NoError(t, err)
	_, err = wrong.ScoreSamples(t.Context(), samples)
	assert.ErrorContains(t, err, "the head has 3 outputs, want one for each of 1 labels")
}

// comparisons are groups that prefer the shorter answer.
func comparisons(t testing.TB) []reward.Group {
	t.Helper()
	rows := data.Slice[data.PairRow]{{Prompt: "a:", Chosen: "x", Rejected: "yyy"}, {Prompt: "b:", Chosen: "z", Rejected: "xyz"}, {Prompt: "c:", Chosen: "y", Rejected: "zzxx"}}
	groups, _, err := reward.Prepare(t.Context(), reward.Pairs(rows), letters{}, reward.PrepareOptions{})
	require.NoError(t, err)
	return groups
}

func learn(t testing.TB, n reward.Net, seed uint64, l reward.Loss) float64 {
	t.Helper()
	src, err := reward.NewBatcher(comparisons(t), reward.BatchOptions{GroupsPerStep: 2, Seed: seed})
	require.NoError(t, err)
	tr, err := reward.New(n, src, reward.Options{Loss: l}, train.Options{Optimizer: train.AdamW{LR: 5e-3}, MaxSteps: 20})
	require.NoError(t, err)
	loss := 0.0
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		loss = s.Loss
	}
	return loss
}

// Every label of a head learns, through the public trainer.
func TestHeadsLearn(t *testing.T) {
	n := net(t, 3, 5)
	assert.Less(t, learn(t, n, 1, ensemble.Heads{}), 0.2)
	for i := range 3 {
		n.Mix = ensemble.Alone(i, 3)
		s, err := open(t, n).ScoreSamples(t.Context(), []reward.Sample{{Prompt: "a:", Completion: "x"}, {Prompt: "a:", Completion: "yyy"}})
		require.NoError(t, err)
		assert.Greater(t, s[0], s[1], "label %d", i)
	}
}

// Models that were trained from one start are merged, written as a folder that others
// read, and score the same when it is opened again.
func TestAverageIsAModel(t *testing.T) {
	var nets []reward.Net
	for seed := range uint64(3) {
		n := net(t, 1, 6)
		learn(t, n, seed, nil)
		nets = append(nets, n)
	}
	dst := net(t, 1, 6)
	require.NoError(t, ensemble.Average(dst, nets...))
	want := 0.0
	for _, n := range nets {
		want += float64(n.Head.Linear.Weight.Data()[3]) / 3
	}
	assert.InDelta(t, want, dst.Head.Linear.Weight.Data()[3], 1e-6)
	dir := t.TempDir() + "/warm"
	require.NoError(t, auto.Save(dir, &auto.Checkpoint{Model: dst.Model, Head: dst.Head}, auto.SaveOptions{}))
	c, err := auto.Open(dir, auto.Options{Weights: tensor.Float32, NoTokenizer: true})
	require.NoError(t, err)
	defer c.Close()
	assert.Equal(t, scores(t, open(t, dst)), scores(t, open(t, reward.Net{Model: c.Model, Head: c.Head})))
}

// Adapters are merged with adapters.
func TestAverageOfAdapters(t *testing.T) {
	var nets []reward.Net
	for seed := range uint64(2) {
		n := net(t, 1, 7)
		var err error
		n.Adapter, err = lora.Attach(n.Headed(), "default", lora.Config{Rank: 2, Seed: 9})
		require.NoError(t, err)
		learn(t, n, seed, nil)
		nets = append(nets, n)
	}
	want := map[string]float32{}
	for _, n := range nets {
		for name, p := range n.Adapter.Params() {
			want[name] += p.Data()[0] / 2
		}
	}
	require.NoError(t, ensemble.Average(nets[0], nets...), "into a member")
	for name, p := range nets[0].Adapter.Params() {
		assert.InDelta(t, want[name], p.Data()[0], 1e-6, name)
	}
	assert.ErrorContains(t, ensemble.Average(nets[0], net(t, 1, 7)), "got an adapter false, want true")
}

// An Ensemble is what policies learn from: a rewarder of rollouts and a judge of
// answers.
func TestServesTrainersOfPolicies(t *testing.T) {
	e, err := ensemble.New("conservative", ensemble.Penalised{}, open(t, net(t, 1, 2)), open(t, net(t, 1, 3)))
	require.NoError(t, err)
	want := scores(t, e)
	r := rollout.Each(e.Name(), func(ctx context.Context, c *rollout.Completion) (float64, error) {
		return e.Verify(ctx, reward.Sample{Prompt: c.Prompt.Text, Completion: c.Text})
	})
	got, err := r.Rewards(t.Context(), []rollout.Completion{{Prompt: &rollout.Prompt{Text: "2+2="}, Text: "4"}})
	require.NoError(t, err)
	assert.InDelta(t, want[0], got[0], 1e-6)
	j := online.Scored(e.Name(), func(ctx context.Context, q online.Question, a online.Answer) (float64, error) {
		return e.Verify(ctx, reward.Sample{Prompt: q.Text, Completion: a.Text})
	})
	verdicts, err := j.Judge(t.Context(), []online.Case{{Question: online.Question{Text: "2+2="}, Answers: []online.Answer{{Text: "4"}, {Text: "5!"}}}})
	require.NoError(t, err)
	assert.InDeltaSlice(t, want[:2], verdicts[0].Scores, 1e-6)
}

type broken struct{ short bool }

func (broken) Name() string { return "broken" }

func (b broken) ScoreSamples(context.Context, []reward.Sample) ([]float64, error) {
	if b.short {
		return nil, nil
	}
	return nil, errors.New("no power")
}

func TestRefusals(t *testing.T) {
	for want, f := range map[string]func() error{
		"got no members":    func() error { _, err := ensemble.New("e", ensemble.Mean{}); return err },
		"got no rule":       func() error { _, err := ensemble.New("e", nil, broken{}); return err },
		"member 0 is nil":   func() error { _, err := ensemble.New("e", ensemble.Mean{}, nil); return err },
		"Penalised.Lambda":  func() error { _, err := ensemble.New("e", ensemble.Penalised{Lambda: -1}, broken{}); return err },
		"Robust.Lambda":     func() error { _, err := ensemble.New("e", ensemble.Robust{Lambda: 2}, broken{}); return err },
		"want one at least": func() error { return ensemble.Average(reward.Net{}) },
		"got no model":      func() error { _, err := ensemble.NewHeads(ensemble.Mean{}, nil, nil); return err },
	} {
		if want == "want one at least" {
			want = "want at least one"
		}
		assert.ErrorContains(t, f(), want)
	}
	e, err := ensemble.New("e", ensemble.Mean{}, broken{})
	require.NoError(t, err)
	_, err = e.Verify(t.Context(), samples[0])
	assert.EqualError(t, err, "ensemble: e: member 0 (broken): no power", "an error is an error, never a reward")
	e, err = ensemble.New("e", ensemble.Mean{}, broken{true})
	require.NoError(t, err)
	_, err = e.Verify(t.Context(), samples[0])
	assert.ErrorContains(t, err, "got 0 scores, want one for each of 1 samples")
	_, err = e.Standardise(t.Context(), samples[:1])
	assert.ErrorContains(t, err, "want two at least")
	assert.ErrorContains(t, e.SetStandards([]ensemble.Standard{{Deviation: 0}}), "the deviation above 0")
	assert.ErrorContains(t, e.SetStandards(make([]ensemble.Standard, 2)), "got 2 standards")
}

package oreo_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/oreo"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/train"
)

const (
	vocab  = 53
	config = `{"model_type": "llama", "vocab_size": 53, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}`
)

func tinyModel(t testing.TB) model.Model {
	t.Helper()
	m, err := auto.New([]byte(config), model.Random{Seed: 1, Std: 0.3}, model.LoadOptions{})
	require.NoError(t, err)
	return m
}

// policy has an adapter that is zero, or one with values.
func policy(t testing.TB, m model.Model, zero bool) dpo.Policy {
	t.Helper()
	a, err := lora.Attach(m, "default", lora.Config{Rank: 4, Seed: 2})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, p := range a.Params() {
		if zero {
			break
		}
		v := make([]float64, p.Len())
		for i := range v {
			v[i] = 0.1 * rng.NormFloat64()
		}
		require.NoError(t, p.Set(v))
	}
	return dpo.Policy{Model: m, Adapter: a}
}

func some(n int) []oreo.Trajectory {
	rng := rand.New(rand.NewPCG(5, 6))
	ids := func(n int) (out []int32) {
		for range n {
			out = append(out, rng.Int32N(vocab))
		}
		return out
	}
	list := make([]oreo.Trajectory, n)
	for i := range list {
		list[i] = oreo.Trajectory{Prompt: ids(1 + i*5%7), Answer: ids(2 + i*3%7), Reward: float64(i % 2)}
		list[i].Steps = []int32{1, int32(len(list[i].Answer))}
	}
	return list
}

func batcher(t testing.TB, list []oreo.Trajectory, o oreo.BatchOptions) *oreo.Batcher {
	t.Helper()
	b, err := oreo.NewBatcher(list, o)
	require.NoError(t, err)
	return b
}

func plain(steps int) train.Options {
	return train.Options{Optimizer: train.AdamW{LR: 1e-2}, Schedule: train.Constant{}, MaxGradNorm: new(0.0), MaxSteps: steps}
}

type outcome struct {
	losses, values []float64
	metrics        []map[string]float64
}

func run(t testing.TB, p dpo.Policy, src *oreo.Batcher, o oreo.Options, loop train.Options) outcome {
	t.Helper()
	tr, err := oreo.New(p, src, o, loop)
	require.NoError(t, err)
	return finish(t, tr, 0)
}

func finish(t testing.TB, tr *oreo.Trainer, stop int) (out outcome) {
	t.Helper()
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		out.losses = append(out.losses, s.Loss)
		m := map[string]float64{}
		for name, v := range s.Metrics.All() {
			m[name] = v
		}
		out.metrics = append(out.metrics, m)
		if s.N == stop {
			break
		}
	}
	for _, q := range tr.Parameters() {
		for _, v := range q.Data() {
			out.values = append(out.values, float64(v))
		}
	}
	return out
}

// At the start log-ratios and values are 0, so that the loss is the mean of twice
// the squared reward, whatever an action is.
func TestTheFirstStepIsKnown(t *testing.T) {
	for _, level := range []oreo.Level{oreo.TokenLevel, oreo.StepLevel, oreo.ResponseLevel} {
		for _, zero := range []bool{true, false} {
			got := run(t, policy(t, tinyModel(t), zero), batcher(t, some(8), oreo.BatchOptions{}), oreo.Options{Level: level}, plain(1))
			assert.InDelta(t, 1, got.losses[0], 1e-5, "%v: half of the rewards are 1", level)
			assert.InDelta(t, 0.5, got.metrics[0]["reward"], 1e-12)
			assert.InDelta(t, 0, got.metrics[0]["kl"], 1e-6)
		}
	}
}

// Values learn to tell trajectories apart, and good answers become likelier.
func TestCreditIsLearnt(t *testing.T) {
	for _, level := range []oreo.Level{oreo.TokenLevel, oreo.StepLevel, oreo.ResponseLevel} {
		m := tinyModel(t)
		p := policy(t, m, true)
		critic, err := lora.Attach(m, "critic", lora.Config{Rank: 4, Seed: 5})
		require.NoError(t, err)
		list := some(8)
		o := oreo.Options{Level: level, Beta: 0.1, Critic: dpo.Policy{Model: m, Adapter: critic}}
		got := run(t, p, batcher(t, list, oreo.BatchOptions{}), o, plain(80))
		assert.Less(t, got.losses[79], 0.3*got.losses[0], "%v", level)
		assert.Less(t, got.metrics[79]["value_loss"], 0.2*got.metrics[0]["value_loss"], "%v", level)
		scores := func(adapter string) (out []float64) {
			s, err := dpo.NewScorer(m, adapter, dpo.ScoreOptions{})
			require.NoError(t, err)
			var pairs []dpo.Pair
			for i := 0; i < len(list); i += 2 {
				pairs = append(pairs, dpo.Pair{Prompt: list[i+1].Prompt, Chosen: list[i+1].Answer, Rejected: nil}, dpo.Pair{Prompt: list[i].Prompt, Chosen: list[i].Answer})
			}
			scored, err := s.Score(t.Context(), pairs)
			require.NoError(t, err)
			for i := range pairs {
				sum := 0.0
				for _, v := range scored.Chosen(i) {
					sum += v
				}
				out = append(out, sum)
			}
			return out
		}
		before, after, good, bad := scores(""), scores("default"), 0.0, 0.0
		for i := range before {
			if i%2 == 0 {
				good += after[i] - before[i]
			} else {
				bad += after[i] - before[i]
			}
		}
		assert.Greater(t, good, bad+1, "%v: nats by which good answers gained on bad ones", level)
	}
}

// How a step is cut into micro-batches does not matter.
func TestMicroBatchesDoNotMatter(t *testing.T) {
	const tol = 1e-5 // float32, relative
	for _, level := range []oreo.Level{oreo.TokenLevel, oreo.StepLevel, oreo.ResponseLevel} {
		want := run(t, policy(t, tinyModel(t), false), batcher(t, some(9), oreo.BatchOptions{Sequential: true}), oreo.Options{Level: level}, plain(4))
		got := run(t, policy(t, tinyModel(t), false), batcher(t, some(9), oreo.BatchOptions{Sequential: true, TokensPerMicro: 20}), oreo.Options{Level: level}, plain(4))
		for i, l := range want.losses {
			assert.InDelta(t, l, got.losses[i], tol*max(1, l))
		}
	}
}

// A run is resumed exactly, value head and critic included.
func TestResumeIsExact(t *testing.T) {
	build := func(dir string, resume bool, change func(*oreo.Options)) (*oreo.Trainer, error) {
		m := tinyModel(t)
		critic, err := lora.Attach(m, "critic", lora.Config{Rank: 2, Seed: 5})
		require.NoError(t, err)
		loop := plain(8)
		loop.Out, loop.Resume, loop.SaveEvery = dir, resume, 3
		o := oreo.Options{Critic: dpo.Policy{Model: m, Adapter: critic}}
		if change != nil {
			change(&o)
		}
		return oreo.New(policy(t, m, false), batcher(t, some(9), oreo.BatchOptions{PerStep: 4, Seed: 2}), o, loop)
	}
	whole, err := build("", false, nil)
	require.NoError(t, err)
	want := finish(t, whole, 0)
	dir := t.TempDir()
	first, err := build(dir, false, nil)
	require.NoError(t, err)
	finish(t, first, 5)
	second, err := build(dir, true, nil)
	require.NoError(t, err)
	require.Equal(t, 3, second.Step())
	got := finish(t, second, 0)
	require.Equal(t, want.losses[3:], got.losses)
	require.Equal(t, want.values, got.values)
	_, err = build(dir, true, func(o *oreo.Options) { o.Beta = 0.5 })
	require.ErrorIs(t, err, train.ErrOptionsChanged)
	require.ErrorContains(t, err, "beta")
}

func TestNewRefuses(t *testing.T) {
	m := tinyModel(t)
	p := policy(t, m, true)
	src := batcher(t, some(3), oreo.BatchOptions{})
	sequence, err := model.NewHead(m, model.SequenceClassification, nil, 1)
	require.NoError(t, err)
	for says, o := range map[string]oreo.Options{
		"Level": {Level: 9}, "Beta": {Beta: -1}, "ValueWeight": {ValueWeight: math.NaN()}, "Regularisation": {Regularisation: new(-1.0)},
		"another model": {Critic: dpo.Policy{Model: tinyModel(t)}}, "only log-probabilities": {Reference: dpo.Reference{Model: tinyModel(t)}},
		"Head": {Head: sequence}, "Reference": {Reference: dpo.Reference{Cached: true}}, "own weight": {Critic: p}, "without Model": {Critic: dpo.Policy{Adapter: p.Adapter}},
	} {
		_, err := oreo.New(p, src, o, plain(1))
		require.ErrorIs(t, err, dpo.ErrOptions, says)
		require.ErrorContains(t, err, says)
	}
	_, err = oreo.New(p, nil, oreo.Options{}, plain(1))
	require.Error(t, err)
	_, err = oreo.New(dpo.Policy{Model: tinyModel(t)}, src, oreo.Options{}, plain(1))
	require.ErrorContains(t, err, "want Reference.Model")
}

func TestNewBatcherRefuses(t *testing.T) {
	for says, change := range map[string]func(*oreo.Trajectory){
		"no prompt":     func(x *oreo.Trajectory) { x.Prompt = nil },
		"empty answer":  func(x *oreo.Trajectory) { x.Answer, x.Steps = nil, nil },
		"finite number": func(x *oreo.Trajectory) { x.Reward = math.Inf(1) },
		"rising places": func(x *oreo.Trajectory) { x.Steps = []int32{2, 1} },
		"last step":     func(x *oreo.Trajectory) { x.Steps = []int32{1} },
	} {
		list := some(3)
		change(&list[1])
		_, err := oreo.NewBatcher(list, oreo.BatchOptions{})
		require.ErrorContains(t, err, says)
	}
	_, err := oreo.NewBatcher(nil, oreo.BatchOptions{})
	require.Error(t, err)
	_, err = oreo.NewBatcher(some(3), oreo.BatchOptions{TokensPerMicro: 3})
	require.ErrorContains(t, err, "TokensPerMicro")
	_, err = oreo.NewBatcher(some(3), oreo.BatchOptions{PerStep: -1})
	require.ErrorContains(t, err, "PerStep")
}

// All weights can be trained against a second model.
func TestFullTraining(t *testing.T) {
	got := run(t, dpo.Policy{Model: tinyModel(t)}, batcher(t, some(6), oreo.BatchOptions{}), oreo.Options{Reference: dpo.Reference{Model: tinyModel(t)}, Regularisation: new(0.0)}, plain(3))
	require.Len(t, got.losses, 3)
	assert.NotContains(t, got.metrics[0], "kl", "no regularisation, no KL")
	assert.Less(t, got.losses[2], got.losses[0])
}

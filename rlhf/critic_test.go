package rlhf_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// critics make a critic for a policy: on its own model, or on the policy's.
var critics = map[string]func(t *testing.T, p rlhf.Policy) *rlhf.Critic{
	"own": func(t *testing.T, p rlhf.Policy) *rlhf.Critic {
		m := trial.Model(t, "llama", p.Model.Head().Dtype())
		return &rlhf.Critic{Model: m, Head: valueHead(t, m)}
	},
	"shared": func(t *testing.T, p rlhf.Policy) *rlhf.Critic {
		return &rlhf.Critic{Head: valueHead(t, p.Model), Coef: 0.1}
	},
}

func valueHead(t *testing.T, m model.Model) *model.Head {
	t.Helper()
	h, err := model.NewHead(m, model.Value, nil, 1)
	require.NoError(t, err)
	return h
}

// ppo are its options: several passes, KL in the reward.
func ppo(c *rlhf.Critic) rlhf.Options {
	return rlhf.Options{
		Objective: rlhf.Objective{Policy: rlhf.PPO{}}, Critic: c, Iterations: 2, StepsPerGeneration: 2,
		KLInReward: rlhf.KLInReward{Coef: 0.02, Estimator: rlhf.K1},
	}
}

func TestPPOLearnsFromARule(t *testing.T) {
	for name, critic := range critics {
		t.Run(name, func(t *testing.T) {
			p := adapted(t, trial.Model(t, "llama", tensor.Float32), true)
			o := ppo(critic(t, p))
			o.StepsPerGeneration = 1
			o.Rollout, o.Generate = rollout.Options{Prompts: 16, Completions: 2}, generate.Options{MaxTokens: 3}
			loop := trial.Loop(80)
			loop.Optimizer = train.AdamW{LR: 1e-2}
			loop.Groups = []train.Group{{Match: []string{"critic.*"}, LRFactor: 0.5}}
			tr, err := rlhf.New(p, somePrompts(6), byLow(), o, loop)
			require.NoError(t, err)
			defer tr.Close()
			var rewards, explained []float64
			for s, err := range tr.Steps(t.Context()) {
				require.NoError(t, err)
				for name, list := range map[string]*[]float64{"reward": &rewards, "critic/vf_explained_var": &explained} {
					if v, ok := s.Metrics.Value(name); ok {
						*list = append(*list, v)
					}
				}
				loss, _ := s.Metrics.Value("loss/value_avg")
				assert.GreaterOrEqual(t, loss, 0.0)
			}
			first, last := mean(rewards[:5]), mean(rewards[len(rewards)-5:])
			assert.Greater(t, last, first+0.3, "from %g", first)
			assert.Zero(t, explained[0], "a value head starts without an opinion")
		})
	}
}

// The advantages are those of GAE on the critic's values, whitened over the rollout,
// and the critic's target is their sum with the values.
func TestCriticGivesGAE(t *testing.T) {
	p := adapted(t, trial.Model(t, "llama", tensor.Float64), false)
	c := critics["own"](t, p)
	w := c.Head.Linear.Weight
	v := make([]float64, w.Len())
	for i := range v {
		v[i] = 0.1 * float64(i%5)
	}
	require.NoError(t, w.Set(v))
	c.Gamma, c.Lambda = 0.9, 0.7
	src := someRollouts(1, 3, 4)
	src.list[0].Completions[3].Reward = rollout.Unknown()
	tr, err := rlhf.New(p, nil, nil, rlhf.Options{Source: src, Critic: c}, trial.Loop(1))
	require.NoError(t, err)
	for _, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
	}
	var rewards, values, mask [][]float64
	for i, x := range src.list[0].Completions {
		m, r := make([]float64, len(x.Tokens)), make([]float64, len(x.Tokens))
		for t, tok := range x.Tokens {
			if tok.Role == rollout.Sampled && i != 3 {
				m[t] = 1
			}
		}
		for t := len(m) - 1; t >= 0; t-- {
			if m[t] == 1 {
				r[t] = x.Reward
				break
			}
		}
		rewards, values, mask = append(rewards, r), append(values, x.Values), append(mask, m)
	}
	want, returns := advantage.GAE(rewards, values, mask, 0.9, 0.7)
	want = advantage.Whiten(want, mask, advantage.WhitenOptions{Unbiased: true})
	for i, x := range src.list[0].Completions {
		assert.InDeltaSlice(t, want[i], x.Advantages, 1e-12)
		assert.InDeltaSlice(t, returns[i], x.Returns, 1e-12)
		for _, v := range x.Values {
			assert.NotZero(t, v)
		}
	}
}

// The critic's loss, too, is divided once for the whole step.
func TestMicroBatchesDoNotMatterToACritic(t *testing.T) {
	for name, critic := range critics {
		t.Run(name, func(t *testing.T) {
			run := func(micro int) trial.Outcome {
				p := adapted(t, trial.Model(t, "llama", tensor.Float64), false)
				o := ppo(critic(t, p))
				o.Source, o.MicroRows, o.MicroTokens = someRollouts(1, 5, 4), micro, 1024
				return runSteps(t, p, nil, o, trial.Loop(4))
			}
			want := run(1)
			for _, micro := range []int{2, 3, 0} {
				got := run(micro)
				trial.Close(t, want.Losses, got.Losses, layoutTol64, "loss")
				trial.Close(t, want.Grads, got.Grads, layoutTol64, "gradient")
			}
		})
	}
}

// A run with a critic goes on from the middle of a rollout as if nothing had been.
func TestResumedPPOIsTheUndisturbedOne(t *testing.T) {
	for name, critic := range critics {
		t.Run(name, func(t *testing.T) {
			open := func(dir string, resume bool) *rlhf.Trainer {
				p := adapted(t, trial.Model(t, "qwen3", tensor.Float32), false)
				o := ppo(critic(t, p))
				o.Rollout, o.Generate = rollout.Options{Prompts: 3, Completions: 2}, generate.Options{MaxTokens: 4}
				loop := trial.Loop(7)
				loop.Out, loop.Resume, loop.SaveEvery = dir, resume, 3
				tr, err := rlhf.New(p, somePrompts(5), byLow(), o, loop)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, tr.Close()) })
				return tr
			}
			whole := open("", false)
			want := losses(t, whole, 0)
			dir := t.TempDir()
			losses(t, open(dir, false), 4)
			second := open(dir, true)
			require.Equal(t, want[3:], losses(t, second, 0))
			for i, p := range second.Parameters() {
				require.Equal(t, whole.Parameters()[i].Data(), p.Data(), p.Name())
			}
		})
	}
}

func TestCriticReportsFaults(t *testing.T) {
	err := rlhf.Options{Critic: &rlhf.Critic{Gamma: 2, Lambda: -1, Loss: rlhf.Value{Clip: -1}}}.Validate()
	for _, part := range []string{"Critic.Head", "Gamma", "Lambda", "Clip"} {
		assert.ErrorContains(t, err, part)
	}
}

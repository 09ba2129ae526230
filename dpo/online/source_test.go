package online_test

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/online"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/train"
)

const (
	vocab  = 41
	liked  = 7
	config = `{"model_type": "llama", "vocab_size": 41, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "eos_token_id": 0}`
)

func tinyModel(t testing.TB) model.Model {
	t.Helper()
	m, err := auto.New([]byte(config), model.Random{Seed: 1, Std: 0.2}, model.LoadOptions{})
	require.NoError(t, err)
	return m
}

func questions(n int) []online.Question {
	list := make([]online.Question, n)
	for i := range list {
		list[i].Prompt = []int32{1, int32(2 + i%30)}
		list[i].At.Line = i + 1
	}
	return list
}

// likes scores answers by how many of their tokens are the liked one.
func likes() online.Judge {
	return online.Scored("likes", func(_ context.Context, _ online.Question, a online.Answer) (float64, error) {
		n := 0
		for _, id := range a.IDs {
			if id == liked {
				n++
			}
		}
		return float64(n), nil
	})
}

// setup is a policy, its generator and a source.
func setup(t testing.TB, judge online.Judge, o online.Options) (dpo.Policy, *online.Source) {
	t.Helper()
	m := tinyModel(t)
	a, err := lora.Attach(m, "default", lora.Config{Rank: 4, Seed: 2})
	require.NoError(t, err)
	g, err := generate.New(m, generate.Config{Adapter: "default", Sequences: 16, Context: 32})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	src, err := online.New(g, judge, questions(20), o)
	require.NoError(t, err)
	return dpo.Policy{Model: m, Adapter: a}, src
}

func loop(steps int) train.Options {
	return train.Options{Optimizer: train.AdamW{LR: 1e-2}, Schedule: train.Constant{}, MaxSteps: steps}
}

// The policy learns what the judge likes: online, with a step a round, and
// iteratively, with several and a reference that follows.
func TestThePolicyLearnsWhatTheJudgeLikes(t *testing.T) {
	for name, c := range map[string]struct {
		o    online.Options
		sync dpo.Sync
	}{
		"online":    {online.Options{Prompts: 16, Answers: 4, PairsPerStep: 16, Generate: generate.Options{MaxTokens: 8}}, dpo.Sync{}},
		"iterative": {online.Options{Prompts: 16, Answers: 4, PairsPerStep: 8, StepsPerRound: 4, Generate: generate.Options{MaxTokens: 8}}, dpo.Sync{Every: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			p, src := setup(t, likes(), c.o)
			tr, err := dpo.New(p, src, dpo.Options{Beta: 0.5, Reference: dpo.Reference{Sync: c.sync}}, loop(40))
			require.NoError(t, err)
			var scores []float64
			for s, err := range tr.Steps(t.Context()) {
				require.NoError(t, err)
				if v, ok := s.Metrics.Value("objective/scores"); ok {
					scores = append(scores, v)
				}
			}
			rounds := map[string]int{"online": 40, "iterative": 10}[name]
			require.Len(t, scores, rounds, "rounds are logged in their first step")
			assert.Greater(t, scores[rounds-1], scores[0]+1, "liked tokens an answer")
		})
	}
}

// lossesOf runs to a step, or to the end.
func lossesOf(t *testing.T, tr *dpo.Trainer, stop int) (list []float64) {
	t.Helper()
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		list = append(list, s.Loss)
		if s.N == stop {
			break
		}
	}
	return list
}

// A run goes on exactly from any step, inside a round or between two.
func TestResumeIsExactInsideRounds(t *testing.T) {
	build := func(dir string, resume bool, seed uint64) (*dpo.Trainer, error) {
		o := online.Options{Prompts: 6, PairsPerStep: 2, StepsPerRound: 3, Seed: seed, Generate: generate.Options{MaxTokens: 6}}
		p, src := setup(t, likes(), o)
		l := loop(8)
		l.Out, l.Resume, l.SaveEvery = dir, resume, 1
		return dpo.New(p, src, dpo.Options{Reference: dpo.Reference{Sync: dpo.Sync{Every: 3, Mix: 0.5}}}, l)
	}
	whole, err := build("", false, 5)
	require.NoError(t, err)
	want := lossesOf(t, whole, 0)
	require.Len(t, want, 8)
	for stop := 1; stop < 8; stop++ {
		dir := t.TempDir()
		first, err := build(dir, false, 5)
		require.NoError(t, err)
		require.Equal(t, want[:stop], lossesOf(t, first, stop))
		second, err := build(dir, true, 5)
		require.NoError(t, err)
		from := second.Step()
		require.LessOrEqual(t, from, stop)
		require.GreaterOrEqual(t, from, stop-1)
		require.Equal(t, want[from:], lossesOf(t, second, 0), "stopped after %d", stop)
		if stop == 2 {
			_, err = build(dir, true, 6)
			require.ErrorIs(t, err, dpo.ErrDataChanged)
		}
	}
}

// fixed answers without a model: answer k of every prompt is the token 10+k and an
// end token.
type fixed struct {
	first []int
	finis generate.Finish
	fail  error
}

func (f *fixed) Generate(ctx context.Context, prompts [][]int32, o generate.Options) ([]generate.Completion, error) {
	f.first = append(f.first, o.First)
	if err := errors.Join(ctx.Err(), f.fail); err != nil {
		return nil, err
	}
	list := make([]generate.Completion, len(prompts))
	for i := range list {
		list[i] = generate.Completion{Tokens: []generate.Token{{ID: 10 + int32(i%2), LogProb: -1}, {ID: 0, LogProb: -0.5}}, Finish: f.finis}
	}
	return list, nil
}

// byToken scores an answer by its first token.
func byToken(score map[int32]float64) online.Judge {
	return online.Scored("token", func(_ context.Context, _ online.Question, a online.Answer) (float64, error) {
		return score[a.IDs[0]], nil
	})
}

func TestTheBestAndTheWorstBecomeAPair(t *testing.T) {
	gen := &fixed{finis: generate.FinishEOS}
	src, err := online.New(gen, byToken(map[int32]float64{10: 1, 11: 3}), questions(5), online.Options{Prompts: 2, PairsPerStep: 2, Rounds: 4})
	require.NoError(t, err)
	var step dpo.Step
	for i := range 4 {
		require.NoError(t, src.Next(&step))
		require.Equal(t, i+1, src.Round())
		b := &step.Micro[0]
		for k, s := range b.Chosen {
			require.Equal(t, int32(11), b.Targets[b.TargetEnds[s]-2])
			require.Equal(t, int32(10), b.Targets[b.TargetEnds[b.Rejected[k]]-2])
		}
	}
	require.ErrorIs(t, src.Next(&step), io.EOF)
	assert.Equal(t, []int{0, 4, 8, 10}, gen.first, "random numbers are never used twice; an epoch ends with a short round")
	assert.InDelta(t, 7.0/5, step.Epoch, 1e-12)
	var m train.Metrics
	src2, err := online.New(gen, byToken(map[int32]float64{10: 1, 11: 3}), questions(5), online.Options{})
	require.NoError(t, err)
	require.NoError(t, src2.Next(&step))
	src2.Measure(&m)
	for name, want := range map[string]float64{"objective/scores": 2, "objective/scores_margin": 2, "objective/entropy": 1.5, "val/contain_eos_token": 1, "judge/ties": 0, "judge/longer_chosen": 0, "round": 1, "completions/mean_length": 2} {
		got, ok := m.Value(name)
		assert.True(t, ok, name)
		assert.InDelta(t, want, got, 1e-12, name)
	}
}

// What makes no preference is dropped, and rounds without any end the run.
func TestTiesAndDoubtsAreDropped(t *testing.T) {
	unknown := online.Scored("unknown", func(_ context.Context, _ online.Question, a online.Answer) (float64, error) {
		if a.IDs[0] == 10 {
			return 1, nil
		}
		return math.NaN(), nil
	})
	wavering := online.BothOrders("wavering", func(_ context.Context, d []online.Duel) ([]float64, error) {
		return slices.Repeat([]float64{0.9, 0.8}, len(d)/2), nil // whatever stands first
	})
	for name, c := range map[string]struct {
		judge online.Judge
		o     online.Options
	}{
		"tie":        {byToken(nil), online.Options{}},
		"gap":        {byToken(map[int32]float64{10: 0.2}), online.Options{MinGap: 0.2}},
		"unknown":    {unknown, online.Options{}},
		"consistent": {wavering, online.Options{Consistent: true}},
	} {
		src, err := online.New(&fixed{finis: generate.FinishEOS}, c.judge, questions(3), c.o)
		require.NoError(t, err)
		var step dpo.Step
		require.ErrorIs(t, src.Next(&step), online.ErrNoPreference, name)
	}
	// The same scores are a preference where one answer was cut.
	src, err := online.New(&fixed{finis: generate.FinishLength}, byToken(map[int32]float64{10: 1, 11: 3}), questions(3), online.Options{MissingEOSPenalty: 5})
	require.NoError(t, err)
	var step dpo.Step
	require.NoError(t, src.Next(&step))
	var m train.Metrics
	src.Measure(&m)
	got, _ := m.Value("objective/scores")
	assert.InDelta(t, 2-5, got, 1e-12)
}

// What fails or is cancelled leaves the source where it was.
func TestFailedRoundsChangeNothing(t *testing.T) {
	gen := &fixed{finis: generate.FinishEOS}
	src, err := online.New(gen, byToken(map[int32]float64{10: 1}), questions(8), online.Options{Prompts: 4, PairsPerStep: 4})
	require.NoError(t, err)
	var step dpo.Step
	require.NoError(t, src.Next(&step))
	before, err := src.State()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, src.NextContext(ctx, &step), context.Canceled)
	gen.fail = errors.New("no memory")
	require.ErrorContains(t, src.Next(&step), "no memory")
	after, err := src.State()
	require.NoError(t, err)
	require.JSONEq(t, string(before), string(after))
	gen.fail = nil
	require.NoError(t, src.Next(&step))
	require.Equal(t, []int{0, 8, 8, 8}, gen.first, "the round is answered with the same random numbers")
}

func TestNewRefuses(t *testing.T) {
	gen, judge := &fixed{}, byToken(nil)
	for says, o := range map[string]online.Options{
		"Answers": {Answers: 1}, "Prompts": {Prompts: -1}, "MinGap": {MinGap: -1}, "MissingEOSPenalty": {MissingEOSPenalty: -1}, "Rounds": {Rounds: -2},
		"Temperature": {Generate: generate.Options{Temperature: -1}}, "TokensPerMicro": {TokensPerMicro: 9},
	} {
		_, err := online.New(gen, judge, questions(2), o)
		require.ErrorContains(t, err, says)
	}
	for _, call := range []func() (*online.Source, error){
		func() (*online.Source, error) { return online.New(nil, judge, questions(1), online.Options{}) },
		func() (*online.Source, error) { return online.New(gen, nil, questions(1), online.Options{}) },
		func() (*online.Source, error) { return online.New(gen, judge, nil, online.Options{}) },
		func() (*online.Source, error) {
			return online.New(gen, judge, []online.Question{{}}, online.Options{})
		},
	} {
		_, err := call()
		require.Error(t, err)
	}
	src, err := online.New(gen, judge, questions(2), online.Options{})
	require.NoError(t, err)
	for _, raw := range []string{`{`, `{"round":1}`, `{"round":-1}`, `{"steps":9}`, `{"cursor":{"epoch":-1}}`} {
		require.Error(t, src.Restore([]byte(raw)), raw)
	}
}

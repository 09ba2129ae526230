package rollout_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// parrot is a sampler whose completions are random digits; equal requests give
// equal ones.
type parrot struct{ calls int }

// Sample implements rollout.Sampler.
func (p *parrot) Sample(_ context.Context, r rollout.Request) ([]*rollout.Completion, error) {
	p.calls++
	var list []*rollout.Completion
	state := r.Seed
	for range len(r.Prompts) * r.Completions {
		state = state*6364136223846793005 + 1442695040888963407
		id := int32(state >> 33 % 10)
		list = append(list, &rollout.Completion{Finish: generate.FinishEOS, Text: fmt.Sprint(id),
			Tokens: []rollout.Token{{ID: id, LogProb: -1, SamplerLogProb: math.NaN(), Version: r.Version}}})
	}
	return list, nil
}

// prompts are n prompts of one token each.
func prompts(n int) []rollout.Prompt {
	list := make([]rollout.Prompt, n)
	for i := range list {
		list[i] = rollout.Prompt{IDs: []int32{int32(i)}, Text: fmt.Sprint("question ", i), Reference: fmt.Sprint(i % 10), Difficulty: float64(i), Columns: map[string]string{"n": fmt.Sprint(i)}}
	}
	return list
}

// right is 1 where the completion is the reference.
var right = rollout.Each("right", func(_ context.Context, c *rollout.Completion) (float64, error) {
	if c.Text == c.Prompt.Reference {
		return 1, nil
	}
	return 0, nil
})

func collector(t *testing.T, o rollout.Options, rewards ...rollout.Reward) *rollout.Collector {
	t.Helper()
	if len(rewards) == 0 {
		rewards = []rollout.Reward{{By: right}}
	}
	c, err := rollout.New(prompts(30), &parrot{}, rewards, o)
	require.NoError(t, err)
	return c
}

func next(t *testing.T, c *rollout.Collector, version int64) *rollout.Rollout {
	t.Helper()
	r, err := c.Next(t.Context(), version)
	require.NoError(t, err)
	return r
}

func TestGroupsHaveOnePromptAndAnIDOfTheirOwn(t *testing.T) {
	c := collector(t, rollout.Options{Prompts: 4, Completions: 3})
	seen := map[int64]*rollout.Prompt{}
	for n := range 5 {
		r := next(t, c, int64(10+n))
		require.Len(t, r.Completions, 12)
		assert.Equal(t, int64(n), r.Number)
		assert.InDelta(t, 4*float64(n+1)/30, r.Epoch, 1e-12)
		members := map[int64]int{}
		for _, x := range r.Completions {
			if p, ok := seen[x.Group]; ok {
				assert.Same(t, p, x.Prompt)
			}
			seen[x.Group] = x.Prompt
			assert.Equal(t, members[x.Group], x.Index)
			members[x.Group]++
			assert.Equal(t, int64(10+n), x.Tokens[0].Version)
		}
		for _, n := range members {
			assert.Equal(t, 3, n)
		}
	}
	assert.Len(t, seen, 20)
}

func TestCollectorStopsAfterItsEpochs(t *testing.T) {
	c := collector(t, rollout.Options{Prompts: 8, Completions: 1, Epochs: 1})
	for range 4 {
		next(t, c, 0)
	}
	_, err := c.Next(t.Context(), 0)
	require.ErrorIs(t, err, io.EOF)
}

func TestEveryPromptComesOnceAnEpoch(t *testing.T) {
	for _, o := range []rollout.Order{rollout.Shuffled{}, rollout.Sequential{}} {
		count := map[int32]int{}
		for at := int64(0); at < 60; at += 4 {
			for _, i := range o.Pick(nil, prompts(30), 3, at, 4) {
				count[i]++
			}
		}
		require.Len(t, count, 30, o.Name())
		for _, n := range count {
			assert.Equal(t, 2, n)
		}
	}
}

func TestCurriculumOpensUp(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		c := rollout.Curriculum{From: 0.1, Over: 300, Reverse: reverse}
		require.NoError(t, c.Validate())
		easy := func(i int32) bool { return i < 3 != reverse && (!reverse || i >= 27) }
		for _, i := range c.Pick(nil, prompts(30), 1, 0, 5) {
			assert.True(t, easy(i), "%d", i)
		}
		late := map[int32]bool{}
		for _, i := range c.Pick(nil, prompts(30), 1, 1000, 500) {
			late[i] = true
		}
		assert.Len(t, late, 30)
		assert.Equal(t, c.Pick(nil, prompts(30), 1, 7, 3), c.Pick(nil, prompts(30), 1, 5, 5)[2:], "the place alone decides")
	}
	assert.ErrorIs(t, rollout.Curriculum{}.Validate(), rollout.ErrOptions)
	assert.ErrorIs(t, rollout.Curriculum{From: 2, Over: 1}.Validate(), rollout.ErrOptions)
}

// spreads counts the groups of a rollout whose rewards differ.
func spreads(r *rollout.Rollout) int {
	low, high := map[int64]float64{}, map[int64]float64{}
	for _, c := range r.Completions {
		if _, ok := low[c.Group]; !ok {
			low[c.Group], high[c.Group] = c.Reward, c.Reward
		}
		low[c.Group], high[c.Group] = min(low[c.Group], c.Reward), max(high[c.Group], c.Reward)
	}
	n := 0
	for g := range low {
		if low[g] < high[g] {
			n++
		}
	}
	return n
}

func TestDynamicSamplingReplacesGroupsWithoutSpread(t *testing.T) {
	plain := next(t, collector(t, rollout.Options{Prompts: 6, Completions: 3}), 0)
	require.Less(t, spreads(plain), 6, "the bed must have something to replace")
	assert.Equal(t, 1, plain.Rounds)
	many := next(t, collector(t, rollout.Options{Prompts: 6, Completions: 3, MaxRounds: 40}), 0)
	assert.Equal(t, 6, spreads(many))
	assert.Greater(t, many.Rounds, 1)
	assert.Positive(t, many.Skipped)
	assert.Len(t, many.Completions, 18)
	bounded := next(t, collector(t, rollout.Options{Prompts: 6, Completions: 3, MaxRounds: 2}), 0)
	assert.Equal(t, 2, bounded.Rounds)
	assert.Len(t, bounded.Completions, 18, "what is missing is filled up")
}

func TestReplayFillsUpWithOlderGroups(t *testing.T) {
	c := collector(t, rollout.Options{Prompts: 6, Completions: 3, Replay: 4})
	first := next(t, c, 0)
	assert.Zero(t, first.Reused)
	for _, x := range first.Completions {
		x.Old = []float64{-1}
	}
	reused := 0
	for n := int64(1); n < 6; n++ {
		r := next(t, c, n)
		require.Len(t, r.Completions, 18)
		reused += r.Reused
		groups := map[int64]bool{}
		for _, x := range r.Completions {
			groups[x.Group] = true
			if x.Tokens[0].Version == 0 && n > 0 {
				assert.Equal(t, []float64{-1}, x.Old, "it keeps the log-probabilities of the policy that sampled it")
			}
		}
		assert.Len(t, groups, 6)
	}
	assert.Positive(t, reused)
}

func TestCollectorGoesOnWhereItWas(t *testing.T) {
	o := rollout.Options{Prompts: 5, Completions: 3, MaxRounds: 3, Replay: 3, Seed: 9}
	whole := collector(t, o)
	for n := range int64(3) {
		next(t, whole, n)
	}
	raw, err := whole.State()
	require.NoError(t, err)
	again := collector(t, o)
	require.NoError(t, again.Restore(raw))
	for n := range int64(4) {
		want, err := json.Marshal(next(t, whole, n))
		require.NoError(t, err)
		got, err := json.Marshal(next(t, again, n))
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got))
	}
}

func TestRolloutsAreStoredExactly(t *testing.T) {
	r := next(t, collector(t, rollout.Options{Prompts: 2, Completions: 2}), 7)
	c := r.Completions[1]
	c.Tokens = append(c.Tokens, rollout.Token{ID: 3, Role: rollout.Observation, LogProb: math.Inf(-1), Version: 8})
	c.Old, c.Ref, c.Advantages = []float64{-0.1, math.NaN()}, nil, []float64{1.0 / 3, 0}
	c.Rewards[0], c.Reward = math.NaN(), math.NaN()
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	var back rollout.Rollout
	require.NoError(t, json.Unmarshal(raw, &back))
	again, err := json.Marshal(&back)
	require.NoError(t, err)
	assert.Equal(t, string(raw), string(again))
	got := back.Completions[1]
	assert.Equal(t, c.Tokens[1], got.Tokens[1])
	assert.Equal(t, *c.Prompt, *got.Prompt)
	assert.Same(t, back.Completions[0].Prompt, got.Prompt)
	assert.True(t, math.IsNaN(got.Old[1]) && math.IsNaN(got.Reward))
	assert.Nil(t, got.Ref)
}

func TestStatesThatAreBrokenAreRefused(t *testing.T) {
	c := collector(t, rollout.Options{})
	for _, raw := range []string{``, `{`, `{"rollouts":-1}`, `{"sizes":[3]}`, `{"buffer":{"completions":[{"ids":[1]}]}}`,
		`{"buffer":{"prompts":[{"ids":[1]}],"completions":[{"prompt":0,"rewards":"AAAA"}]}}`} {
		assert.Error(t, c.Restore(json.RawMessage(raw)), raw)
	}
}

func TestCancelledCollectionLeavesThePlace(t *testing.T) {
	c := collector(t, rollout.Options{Prompts: 2, Completions: 2})
	before, err := c.State()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Next(ctx, 0)
	require.ErrorIs(t, err, context.Canceled)
	after, err := c.State()
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}

func TestNewReportsEveryFault(t *testing.T) {
	_, err := rollout.New(nil, nil, []rollout.Reward{{By: right, Weight: math.NaN()}, {By: right, Silent: true}, {}},
		rollout.Options{Prompts: -1, Epochs: math.Inf(1), OnFault: "sing", Order: rollout.Curriculum{}})
	require.ErrorIs(t, err, rollout.ErrOptions)
	require.ErrorIs(t, err, rollout.ErrNoPrompts)
	for _, part := range []string{"Prompts", "Epochs", "OnFault", "Weight", "reward 1", "reward 2", "sampler", "Curriculum"} {
		assert.ErrorContains(t, err, part)
	}
	_, err = rollout.New(prompts(1), &parrot{}, []rollout.Reward{{By: right, Silent: true}}, rollout.Options{})
	assert.ErrorContains(t, err, "counts")
}

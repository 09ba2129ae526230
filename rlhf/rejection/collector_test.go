package rejection_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/rlhf/rejection"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// scripted answers each prompt with its texts in turn; one byte is one token, and a
// text that ends with "…" was cut off.
type scripted map[string][]string

func (s scripted) Sample(ctx context.Context, r rollout.Request) ([]*rollout.Completion, error) {
	var list []*rollout.Completion
	for _, p := range r.Prompts {
		for i := range r.Completions {
			text := s[p.Text][i%len(s[p.Text])]
			c := &rollout.Completion{Text: text, Finish: generate.FinishEOS}
			if len(text) > 3 && text[len(text)-3:] == "…" {
				c.Finish = generate.FinishLength
			}
			for _, b := range []byte(text) {
				c.Tokens = append(c.Tokens, rollout.Token{ID: int32(b), Version: r.Version})
			}
			list = append(list, c)
		}
	}
	return list, ctx.Err()
}

// marks rewards texts by name; others have no reward.
func marks(of map[string]float64) rollout.Rewarder {
	return rollout.Each("marks", func(_ context.Context, c *rollout.Completion) (float64, error) {
		if v, ok := of[c.Text]; ok {
			return v, nil
		}
		return 0, errors.New("no mark")
	})
}

// collect runs one round over one prompt with those texts.
func collect(t *testing.T, texts []string, of map[string]float64, o rejection.Options) *rejection.Round {
	t.Helper()
	if o.Completions == 0 {
		o.Completions = len(texts)
	}
	c, err := rejection.New([]rollout.Prompt{{IDs: []int32{7}, Text: "p", Reference: "r"}}, scripted{"p": texts}, marks(of), o)
	require.NoError(t, err)
	r, err := c.Collect(t.Context(), 0)
	require.NoError(t, err)
	return r
}

func texts(r *rejection.Round) (list []string) {
	for _, e := range r.Examples {
		list = append(list, e.Text)
	}
	return list
}

func TestWhatIsKept(t *testing.T) {
	said := []string{"a", "long right", "a", "wrong", "b", "cut…", "?", "", "cc"}
	of := map[string]float64{"a": 1, "long right": 2, "wrong": 0, "b": 1, "cut…": 1, "": 1, "cc": 1.5}
	for _, c := range []struct {
		name string
		o    rejection.Options
		want []string
	}{
		{"default", rejection.Options{}, []string{"a", "long right", "b", "cc"}},
		{"at most k", rejection.Options{Keep: 2}, []string{"a", "long right"}},
		{"shortest", rejection.Options{Keep: 2, Prefer: rejection.Shortest}, []string{"a", "b"}},
		{"best", rejection.Options{Keep: 2, Prefer: rejection.Best}, []string{"long right", "cc"}},
		{"best of N takes what there is", rejection.Options{Keep: 9, All: true}, []string{"a", "long right", "wrong", "b", "cc"}},
		{"higher bar", rejection.Options{Accept: 1.5}, []string{"long right", "cc"}},
		{"cut off ones too", rejection.Options{Keep: 9, KeepTruncated: true}, []string{"a", "long right", "b", "cut…", "cc"}},
		{"a key of one's own", rejection.Options{Key: func(c *rollout.Completion) string { return fmt.Sprint(len(c.Text)) }}, []string{"a", "long right", "cc"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, texts(collect(t, said, of, c.o)))
		})
	}
	r := collect(t, said, of, rejection.Options{Keep: 3})
	assert.Equal(t, rejection.Stats{Prompts: 1, Sampled: 9, Accepted: 5, Unknown: 1, Wrong: 1, Truncated: 2, Duplicates: 1, Spare: 1, Kept: 3, Tokens: 12}, r.Stats)
	assert.InDelta(t, 5./9, r.Examples[0].PassRate, 0)
	assert.InDelta(t, 3./9, r.Stats.KeptShare(), 0)
}

func TestEmptyAnswers(t *testing.T) {
	of := map[string]float64{"": 1, "cut…": 1}
	assert.Empty(t, collect(t, []string{"", "cut…"}, of, rejection.Options{}).Examples)
	assert.Equal(t, []string{"cut…"}, texts(collect(t, []string{"", "cut…"}, of, rejection.Options{KeepTruncated: true})))
}

func TestHardPromptsGiveMore(t *testing.T) {
	of := map[string]float64{"wrong": 0}
	var easy, hard []string
	for i := range 8 {
		text := fmt.Sprintf("right %d", i)
		of[text] = 1
		easy = append(easy, text)
		if hard = append(hard, text); i >= 3 {
			hard[i] = "wrong"
		}
	}
	o := rejection.Options{Keep: 4, Balance: rejection.ByDifficulty}
	assert.Len(t, collect(t, easy, of, o).Examples, 1)
	assert.Len(t, collect(t, hard, of, o).Examples, 3, "4·5/8, rounded up")
}

func TestOnlyWhatLacksIsAskedAgain(t *testing.T) {
	said := scripted{"easy": {"a", "b"}, "hard": {"no", "no"}}
	of := map[string]float64{"a": 1, "b": 1, "no": 0}
	prompts := []rollout.Prompt{{IDs: []int32{1}, Text: "easy"}, {IDs: []int32{2}, Text: "hard"}}
	c, err := rejection.New(prompts, said, marks(of), rejection.Options{Completions: 2, Keep: 2, Passes: 3})
	require.NoError(t, err)
	r, err := c.Collect(t.Context(), 0)
	require.NoError(t, err)
	assert.Equal(t, 2+3*2, r.Stats.Sampled)
	assert.Equal(t, 1, r.Stats.Solved)
	assert.Equal(t, 1, r.Stats.Unsolved)
}

func TestHintsAreNotLearnt(t *testing.T) {
	said := scripted{"p": {"no"}, "p (say yes)": {"yes"}}
	hint := func(p rollout.Prompt) (rollout.Prompt, bool) {
		p.IDs, p.Text = []int32{9, 9}, p.Text+" (say "+p.Reference+")"
		return p, p.Reference != ""
	}
	prompts := []rollout.Prompt{{IDs: []int32{1}, Text: "p", Reference: "yes"}, {IDs: []int32{1}, Text: "p"}}
	c, err := rejection.New(prompts, said, marks(map[string]float64{"no": 0, "yes": 1}), rejection.Options{Completions: 2, Hint: hint})
	require.NoError(t, err)
	r, err := c.Collect(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, r.Examples, 1)
	assert.True(t, r.Examples[0].Hinted)
	assert.Equal(t, []int32{1}, r.Examples[0].Prompt.IDs)
	assert.Equal(t, "p", r.Rows()[0].Prompt)
	assert.Equal(t, rejection.Stats{Prompts: 2, Sampled: 4, Hinted: 2, Wrong: 4, Duplicates: 1, Kept: 1, Tokens: 3, Unsolved: 2, Rationalised: 1}, r.Stats)
}

func TestEverySampleIsAccountedFor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "no", "?", "cut…"}), 1, 12).Draw(rt, "said")
		o := rejection.Options{
			Completions: rapid.IntRange(1, 9).Draw(rt, "n"), Passes: rapid.IntRange(0, 3).Draw(rt, "passes"), Keep: rapid.IntRange(0, 3).Draw(rt, "keep"),
			Prefer: rapid.SampledFrom([]rejection.Preference{rejection.First, rejection.Shortest, rejection.Best}).Draw(rt, "prefer"),
		}
		if rapid.Bool().Draw(rt, "balance") {
			o.Balance = rejection.ByDifficulty
		}
		r := collect(t, words, map[string]float64{"a": 1, "b": 2, "c": 1, "no": 0, "cut…": 1}, o)
		s := r.Stats
		assert.Equal(rt, s.Sampled+s.Hinted, s.Unknown+s.Wrong+s.Truncated+s.Duplicates+s.Spare+s.Kept)
		assert.Len(rt, r.Examples, s.Kept)
		for _, e := range r.Examples {
			assert.GreaterOrEqual(rt, e.Reward, 0.5, "precision is 100 %%")
		}
	})
}

func TestRefusals(t *testing.T) {
	p := []rollout.Prompt{{IDs: []int32{1}, Text: "p"}}
	ok := marks(nil)
	for name, o := range map[string]rejection.Options{
		"completions": {Completions: -1}, "passes": {Passes: -1}, "keep": {Keep: -2}, "rounds": {Rounds: -1},
		"balance": {Balance: "x"}, "prefer": {Prefer: "x"}, "both": {All: true, Accept: 2},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rejection.New(p, scripted{}, ok, o)
			assert.ErrorIs(t, err, rejection.ErrOptions)
		})
	}
	_, err := rejection.New(nil, scripted{}, ok, rejection.Options{})
	require.ErrorIs(t, err, rollout.ErrNoPrompts)
	_, err = rejection.New(p, nil, ok, rejection.Options{})
	require.Error(t, err)

	broken := errors.New("broken")
	c, err := rejection.New(p, scripted{"p": {"a"}}, failing{broken}, rejection.Options{})
	require.NoError(t, err)
	for r, err := range c.Rounds(t.Context()) {
		assert.Nil(t, r)
		require.ErrorIs(t, err, broken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Collect(ctx, 0)
	require.ErrorIs(t, err, context.Canceled)
}

type failing struct{ err error }

func (failing) Name() string { return "failing" }
func (f failing) Rewards(context.Context, []rollout.Completion) ([]float64, error) {
	return nil, f.err
}

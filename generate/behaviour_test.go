package generate

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryStopIDStops(t *testing.T) {
	m := tiny(t, "qwen3", tensor.Float32) // three end ids in its configuration
	g := newGenerator(t, m, Config{Context: 128})
	p := prompts(10)
	free := generate(t, g, p, Options{MaxTokens: 40, Temperature: 2, Seed: 8, IgnoreEOS: true})[0]
	assert.Equal(t, FinishLength, free.Finish)
	seen := map[int32]bool{}
	for k, tok := range free.Tokens {
		if seen[tok.ID] || slices.Contains(m.Config().EOS, tok.ID) {
			continue
		}
		seen[tok.ID] = true
		c := generate(t, g, p, Options{MaxTokens: 40, Temperature: 2, Seed: 8, IgnoreEOS: true, StopIDs: []int32{299 - tok.ID, tok.ID}})[0]
		at := slices.IndexFunc(free.Tokens, func(x Token) bool { return x.ID == tok.ID || x.ID == 299-tok.ID })
		assert.Equal(t, free.IDs()[:at+1], c.IDs(), "stop id %d of token %d", tok.ID, k)
		assert.Equal(t, FinishEOS, c.Finish)
	}
	assert.Greater(t, len(seen), 10)
}

func TestModelEndTokensStop(t *testing.T) {
	m := tiny(t, "qwen3", tensor.Float32)
	g := newGenerator(t, m, Config{Context: 128})
	p := prompts(10)
	ids := generate(t, g, p, Options{MaxTokens: 20, IgnoreEOS: true})[0].IDs()
	for _, eos := range []int32{ids[0], ids[len(ids)/2]} {
		m.Config().EOS = []int32{1, eos, 2}
		c := generate(t, g, p, Options{MaxTokens: 20})[0]
		assert.Equal(t, ids[:slices.Index(ids, eos)+1], c.IDs(), "the end token is the last")
		assert.Equal(t, FinishEOS, c.Finish)
		assert.Equal(t, FinishLength, generate(t, g, p, Options{MaxTokens: 20, IgnoreEOS: true})[0].Finish)
	}
}

func TestContextEnds(t *testing.T) {
	g := newGenerator(t, tiny(t, "llama", tensor.Float32), Config{Sequences: 2, Context: 24})
	ps := prompts(20, 23, 5)
	cs := generate(t, g, ps, Options{MaxTokens: 10, IgnoreEOS: true})
	for i, want := range []int{4, 1, 10} {
		assert.Len(t, cs[i].Tokens, want)
		assert.Equal(t, FinishLength, cs[i].Finish)
	}
	_, err := g.Generate(context.Background(), prompts(24), Options{})
	require.ErrorIs(t, err, ErrPromptTooLong)
	require.ErrorContains(t, err, "prompt 0 has 24 tokens, the context 24")
	assert.Equal(t, 256, newGenerator(t, tiny(t, "llama", tensor.Float32), Config{}).Context(), "the model's limit")
	assert.Equal(t, 300, newGenerator(t, tiny(t, "llama", tensor.Float32), Config{Context: 300}).Context(), "rotary positions go on")
	learned := newGenerator(t, tiny(t, "gpt2", tensor.Float32), Config{Context: 300})
	assert.Equal(t, 256, learned.Context(), "learned ones end")
	assert.Len(t, generate(t, learned, prompts(250), Options{MaxTokens: 10, IgnoreEOS: true})[0].Tokens, 6)
}

func TestCancellationStopsBetweenTokens(t *testing.T) {
	g := newGenerator(t, tiny(t, "llama", tensor.Float32), Config{Context: 128})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	made := 0
	var last error
	for tok, err := range g.Stream(ctx, prompts(5)[0], Options{MaxTokens: 50, IgnoreEOS: true}) {
		if last = err; err != nil {
			break
		}
		assert.Empty(t, tok.Finish)
		if made++; made == 3 {
			cancel()
		}
	}
	assert.Equal(t, 3, made)
	require.ErrorIs(t, last, context.Canceled)
	_, err := g.Generate(ctx, prompts(5), Options{})
	require.ErrorIs(t, err, context.Canceled)
	assert.Len(t, generate(t, g, prompts(5), Options{MaxTokens: 4, IgnoreEOS: true})[0].Tokens, 4, "usable afterwards")
}

func TestStreamEqualsBatch(t *testing.T) {
	g := newGenerator(t, tiny(t, "llama", tensor.Float32), Config{Context: 128, Decode: Text(newLetters)})
	ps := prompts(5, 30)
	for _, o := range []Options{
		{MaxTokens: 30, IgnoreEOS: true}, {MaxTokens: 30, Temperature: 1.5, Seed: 6, IgnoreEOS: true},
		{MaxTokens: 30, Temperature: 1.5, Seed: 6, Stop: []string{"b", "xyz"}}, {MaxTokens: 30, Temperature: 1.5, TopK: 3, Seed: 6, Stop: []string{"cd", "ab"}},
	} {
		want := generate(t, g, ps, o)
		for i, p := range ps {
			o.First = i
			var got Completion
			for tok, err := range g.Stream(context.Background(), p, o) {
				require.NoError(t, err)
				got.Tokens, got.Finish = append(got.Tokens, tok), tok.Finish
				got.Text += tok.Text
			}
			assert.Equal(t, want[i], got)
			for _, stop := range o.Stop {
				assert.NotContains(t, got.Text, stop)
			}
		}
	}
}

func TestBreakingOutOfAStream(t *testing.T) {
	g := newGenerator(t, tiny(t, "llama", tensor.Float32), Config{Context: 128})
	p := prompts(9)
	want := generate(t, g, p, Options{MaxTokens: 10, IgnoreEOS: true})
	for range g.Stream(context.Background(), prompts(50)[0], Options{IgnoreEOS: true}) {
		_, err := g.Generate(context.Background(), p, Options{})
		require.ErrorIs(t, err, ErrBusy)
		break
	}
	assert.Equal(t, want, generate(t, g, p, Options{MaxTokens: 10, IgnoreEOS: true}))
}

func TestSeeds(t *testing.T) {
	g := newGenerator(t, tiny(t, "llama", tensor.Float32), Config{Context: 128})
	p := prompts(9)[0]
	ps := [][]int32{p, p, p}
	o := Options{MaxTokens: 20, Temperature: 1.5, Seed: 1, IgnoreEOS: true}
	first := generate(t, g, ps, o)
	assert.Equal(t, first, generate(t, g, ps, o), "same seed, same bits")
	assert.NotEqual(t, first[0].IDs(), first[1].IDs(), "each copy of a prompt has randomness of its own")
	o.Seed = 2
	assert.NotEqual(t, first[0].IDs(), generate(t, g, ps, o)[0].IDs())
}

func TestFaultsAreReported(t *testing.T) {
	err := Config{Sequences: -1, Context: -2, Chunk: maxContext + 1}.Validate()
	for _, want := range []string{"Sequences is -1", "Context is -2", "Chunk is 16777217"} {
		require.ErrorContains(t, err, want)
	}
	err = Options{MaxTokens: -1, Temperature: -1, TopK: -1, TopP: 2, MinP: -1, Stop: []string{""}, First: -1}.Validate()
	assert.Equal(t, 7, strings.Count(err.Error(), "generate: "), err)
	m := tiny(t, "llama", tensor.Float32)
	_, err = New(m, Config{Sequences: -1})
	require.Error(t, err)

	g := newGenerator(t, m, Config{})
	for _, c := range []struct {
		prompt []int32
		o      Options
		want   string
	}{
		{nil, Options{}, "prompt 0 is empty"},
		{[]int32{1, 300}, Options{}, "prompt 0: id 300 at position 1 is outside the vocabulary of 300"},
		{[]int32{-1}, Options{}, "id -1 at position 0"},
		{[]int32{1}, Options{TopP: -1}, "TopP is -1"},
		{[]int32{1}, Options{Stop: []string{"x"}}, "Stop needs Config.Decode"},
	} {
		_, err := g.Generate(context.Background(), [][]int32{c.prompt}, c.o)
		require.ErrorContains(t, err, c.want)
	}
	cs, err := g.Generate(context.Background(), nil, Options{})
	require.NoError(t, err)
	assert.Empty(t, cs)

	for _, p := range m.Params() {
		p.Data()[0] = float32(1e38)
		p.Data()[1] = float32(1e38)
	}
	_, err = g.Generate(context.Background(), prompts(4), Options{})
	require.ErrorIs(t, err, ErrNotFinite)
	require.ErrorContains(t, err, "prompt 0, token 0")
	require.NoError(t, g.Close())
	require.NoError(t, g.Close())
	_, err = g.Generate(context.Background(), prompts(4), Options{})
	require.ErrorIs(t, err, ErrClosed)
	assert.Zero(t, g.Bytes())
}

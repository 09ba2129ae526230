package generate

import (
	"slices"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// counted runs all prompts and counts the prompt tokens that were computed.
func counted(t *testing.T, g *Generator, ps [][]int32, o Options) (computed int, out []Completion) {
	t.Helper()
	require.NoError(t, g.begin(ps, o))
	defer func() { g.busy = false }()
	r := newRollout(g, ps, o.withDefaults())
	out = make([]Completion, len(ps))
	for more := true; more; {
		var err error
		g.prefill.n = 0
		more, err = r.advance()
		require.NoError(t, err)
		computed += g.prefill.n
		for _, ev := range r.events {
			out[ev.sequence].Tokens = append(out[ev.sequence].Tokens, ev.token)
		}
	}
	return computed, out
}

// TestPromptsOfGroupsAreComputedOnce samples twelve completions of each of two long
// prompts with few sequences at once: each prompt is computed once, and every
// completion has the bits that it has alone.
func TestPromptsOfGroupsAreComputedOnce(t *testing.T) {
	m := tiny(t, "gemma3_text", tensor.Float32)
	two := prompts(50, 41)
	ps := slices.Concat(slices.Repeat(two[:1], 12), slices.Repeat(two[1:], 12))
	o := Options{MaxTokens: 9, Temperature: 1.5, Seed: 3}
	for _, sequences := range []int{1, 3, 8, 30} {
		g := newGenerator(t, m, Config{Sequences: sequences, Chunk: 32, Context: 128})
		n, got := counted(t, g, ps, o)
		// 50 = 32+18 and 41 = 32+9 tokens; no piece is below wideRows.
		assert.Equal(t, 91, n, "%d at once", sequences)
		alone := newGenerator(t, m, Config{Sequences: map[bool]int{true: wideSequences, false: 1}[sequences >= wideSequences], Chunk: 32, Context: 128})
		for i, p := range ps {
			one := o
			one.First = i
			require.Equal(t, generate(t, alone, [][]int32{p}, one)[0].Tokens, got[i].Tokens, "%d at once, completion %d", sequences, i)
		}
	}
}

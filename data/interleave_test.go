package data_test

import (
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

func counting(from, n int) data.Slice[int] {
	list := make(data.Slice[int], n)
	for i := range list {
		list[i] = from + i
	}
	return list
}

func TestInterleave(t *testing.T) {
	a, b := counting(0, 3000), counting(10_000, 500)
	mixed := func(o data.InterleaveOptions) (first, second []int) {
		src, err := data.Interleave(o, data.Weighted[int]{Source: a, Weight: 3}, data.Weighted[int]{Source: b})
		require.NoError(t, err)
		all, err := data.Collect(src)
		require.NoError(t, err)
		again, err := data.Collect(src)
		require.NoError(t, err)
		require.Equal(t, all, again)
		for _, n := range all {
			if n < 10_000 {
				first = append(first, n)
			} else {
				second = append(second, n)
			}
		}
		return first, second
	}
	first, second := mixed(data.InterleaveOptions{Seed: 1})
	assert.Equal(t, []int(b), second, "the one that ends first, in order")
	assert.Equal(t, []int(a[:len(first)]), first)
	// four standard deviations: of 500 waits for an event of 1 in 4, √(500·3/4)·4/500 each
	assert.InDelta(t, 3, float64(len(first))/float64(len(second)), 0.62)
	other, _ := mixed(data.InterleaveOptions{Seed: 2})
	assert.NotEqual(t, len(first), len(other))
	first, second = mixed(data.InterleaveOptions{Seed: 1, UntilAll: true})
	assert.Equal(t, []int(a), first)
	assert.Greater(t, len(second), 800)
	assert.Equal(t, 10_000, second[500], "begun anew")
}

func TestInterleaveFaults(t *testing.T) {
	_, err := data.Interleave[int](data.InterleaveOptions{})
	require.ErrorContains(t, err, "no source")
	_, err = data.Interleave(data.InterleaveOptions{}, data.Weighted[int]{Source: counting(0, 1), Weight: -1})
	require.ErrorContains(t, err, "weight -1")
	broken := errors.New("broken")
	failing := data.SourceFunc[int](func() iter.Seq2[int, error] { return func(yield func(int, error) bool) { yield(0, broken) } })
	src, err := data.Interleave(data.InterleaveOptions{UntilAll: true}, data.Weighted[int]{Source: failing}, data.Weighted[int]{Source: counting(0, 3)})
	require.NoError(t, err)
	_, err = data.Collect(src)
	require.ErrorIs(t, err, broken)
	src, err = data.Interleave(data.InterleaveOptions{UntilAll: true}, data.Weighted[int]{Source: counting(0, 0)}, data.Weighted[int]{Source: counting(0, 3)})
	require.NoError(t, err)
	_, err = data.Collect(src)
	require.NoError(t, err, "an empty source ends the mix")
}

func TestSummarize(t *testing.T) {
	assert.Equal(t, data.Summary{}, data.Summarize(nil))
	assert.Equal(t, data.Summary{Count: 1, Total: 7, Mean: 7, Min: 7, Median: 7, P90: 7, P99: 7, Max: 7}, data.Summarize([]int{7}))
	list := make([]int, 1000)
	for i := range list {
		list[i] = 1000 - i
	}
	assert.Equal(t, data.Summary{Count: 1000, Total: 500500, Mean: 500.5, Min: 1, Median: 500, P90: 900, P99: 990, Max: 1000}, data.Summarize(list))
	assert.Equal(t, 1000, list[0])
	set, _, err := data.Prepare(t.Context(), data.Slice[data.Row]{
		{Shape: data.ShapePromptCompletion, Prompt: "ab", Completion: "cde"}, {Shape: data.ShapeText, Text: "0123456789"},
	}, greedy{}, data.PrepareOptions{})
	require.NoError(t, err)
	got := set.Lengths()
	assert.Equal(t, [2]int{5, 10}, [2]int{got.Examples.Min, got.Examples.Max})
	assert.Equal(t, [2]int{1, 2}, [2]int{got.Prompts.Count, got.Prompts.Max})
	assert.Equal(t, [2]int{3, 9}, [2]int{got.Targets.Min, got.Targets.Max})
}

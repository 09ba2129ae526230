package data_test

import (
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posttrain/posttrain/data"
)

func numbers(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return items
}

func TestPermutationIsFixed(t *testing.T) {
	// From an independent implementation in Python; a run resumed by a later
	// release must find its order.
	require.Equal(t, []int32{6, 2, 5, 3, 4, 7, 0, 1, 9, 8}, data.Permutation(nil, 10, 42, 0))
	require.Equal(t, []int32{2, 3, 9, 6, 0, 8, 7, 4, 5, 1}, data.Permutation(nil, 10, 42, 1))
}

func TestPermutationProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "n")
		seed, epoch := rapid.Uint64().Draw(t, "seed"), rapid.Uint64().Draw(t, "epoch")
		order := data.Permutation(make([]int32, 0, 7), n, seed, epoch)
		require.True(t, slices.Equal(order, data.Permutation(nil, n, seed, epoch)))
		sorted := slices.Sorted(slices.Values(order))
		for i, v := range sorted {
			require.Equal(t, int32(i), v)
		}
		require.Len(t, order, n)
	})
}

// Every item reaches every place about equally often.
func TestPermutationIsUniform(t *testing.T) {
	const n, rounds = 8, 8000
	var seen [n][n]float64
	for epoch := range uint64(rounds) {
		for place, item := range data.Permutation(nil, n, 7, epoch) {
			seen[place][item]++
		}
	}
	chi := 0.0
	for _, row := range seen {
		for _, count := range row {
			const want = float64(rounds) / n
			chi += (count - want) * (count - want) / want
		}
	}
	require.Less(t, chi, 90.0, "chi-square with 49 degrees of freedom: 85.4 is the 99.9 % quantile")
}

func TestSplitProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := numbers(rapid.IntRange(0, 100).Draw(t, "n"))
		share := rapid.Float64Range(0, 0.999).Draw(t, "share")
		seed := rapid.Uint64().Draw(t, "seed")
		train, held, err := data.Split(items, share, seed)
		require.NoError(t, err)
		require.True(t, slices.IsSorted(train) && slices.IsSorted(held), "original order")
		require.Equal(t, items, slices.AppendSeq(make([]int, 0), slices.Values(slices.Sorted(slices.Values(slices.Concat(train, held))))))
		if share > 0 && len(items) > 1 {
			require.NotEmpty(t, train)
			require.NotEmpty(t, held)
			require.InDelta(t, share*float64(len(items)), len(held), 1, "the share asked for")
		} else {
			require.Empty(t, held)
		}
		again, _, err := data.Split(items, share, seed)
		require.NoError(t, err)
		require.Equal(t, train, again)
	})
}

func TestSplitRefusesShares(t *testing.T) {
	for _, share := range []float64{-0.1, 1, 1.5} {
		_, _, err := data.Split(numbers(3), share, 0)
		require.ErrorContains(t, err, "want a number in [0, 1)")
	}
}

func TestShuffleLeavesItsArgument(t *testing.T) {
	items := numbers(50)
	a, b := data.Shuffle(items, 1, 0), data.Shuffle(items, 1, 1)
	require.Equal(t, numbers(50), items)
	require.ElementsMatch(t, items, a)
	require.ElementsMatch(t, items, b)
	require.NotEqual(t, a, b)
	require.Equal(t, a, data.Shuffle(items, 1, 0))
}

func TestLimitAndCollect(t *testing.T) {
	for limit, want := range map[int]int{-1: 5, 0: 5, 1: 1, 4: 4, 5: 5, 9: 5} {
		got, err := data.Collect(data.Limit[int](data.Slice[int](numbers(5)), limit))
		require.NoError(t, err)
		assert.Equal(t, numbers(want), got)
	}
	failing := data.SourceFunc[int](func() iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			if yield(1, nil) {
				yield(0, assert.AnError)
			}
		}
	})
	got, err := data.Collect(data.Limit[int](failing, 1))
	require.NoError(t, err)
	require.Equal(t, []int{1}, got)
	_, err = data.Collect(data.Limit[int](failing, 2))
	require.ErrorIs(t, err, assert.AnError)
	for v, err := range data.Limit[int](data.Slice[int](numbers(5)), 3).All() {
		require.NoError(t, err)
		if v == 1 {
			break
		}
	}
}

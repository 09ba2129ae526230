package data_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posttrain/posttrain/data"
)

// packSlowly is best-fit decreasing as it is defined: a search through all bins.
func packSlowly(lengths []int, capacity, most int) []int32 {
	var free, load []int
	bins := make([]int32, len(lengths))
	for want := capacity; want > 0; want-- {
		for i, length := range lengths {
			if length != want {
				continue
			}
			best := -1
			for b := range free {
				if free[b] >= length && (most <= 0 || load[b] < most) && (best < 0 || free[b] < free[best]) {
					best = b
				}
			}
			if best < 0 {
				best, free, load = len(free), append(free, capacity), append(load, 0)
			}
			free[best] -= length
			load[best]++
			bins[i] = int32(best)
		}
	}
	return bins
}

func TestPackerIsBestFitDecreasing(t *testing.T) {
	var p data.Packer
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 60).Draw(t, "capacity")
		most := rapid.IntRange(0, 6).Draw(t, "most")
		lengths := rapid.SliceOfN(rapid.IntRange(1, capacity), 0, 80).Draw(t, "lengths")
		bins, n := p.Pack(lengths, capacity, most)
		require.Len(t, bins, len(lengths))
		if len(lengths) > 0 {
			require.Equal(t, packSlowly(lengths, capacity, most), bins)
		}
		load, count := make([]int, n), make([]int, n)
		for i, b := range bins {
			load[b] += lengths[i]
			count[b]++
		}
		total := 0
		for b := range load {
			require.LessOrEqual(t, load[b], capacity)
			require.Positive(t, count[b], "no bin is empty")
			require.True(t, most == 0 || count[b] <= most)
			total += load[b]
		}
		if least := (total + capacity - 1) / capacity; most == 0 {
			require.LessOrEqual(t, float64(n), 2*float64(least), "two bins together hold more than one capacity")
		}
	})
}

// Perfect packings of known size: bins cut into random pieces. Johnson's bound
// on best-fit decreasing is 11/9 of them plus four.
func TestPackerKeepsJohnsonsBound(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var p data.Packer
	for range 50 {
		const capacity, perfect = 1000, 100
		var lengths []int
		for range perfect {
			for left := capacity; left > 0; {
				piece := min(1+rng.IntN(600), left)
				lengths = append(lengths, piece)
				left -= piece
			}
		}
		rng.Shuffle(len(lengths), func(i, j int) { lengths[i], lengths[j] = lengths[j], lengths[i] })
		_, n := p.Pack(lengths, capacity, 0)
		require.LessOrEqual(t, n, perfect*11/9+4)
		require.GreaterOrEqual(t, n, perfect)
	}
}

func TestPackerGivesLongItemsTheirOwnBin(t *testing.T) {
	var p data.Packer
	bins, n := p.Pack([]int{3, 25, 7}, 10, 0)
	assert.Equal(t, []int32{1, 0, 1}, bins)
	assert.Equal(t, 2, n)
	_, n = p.Pack(nil, 10, 0)
	assert.Zero(t, n)
}

func TestPackerHandlesManyItemsQuickly(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	lengths := make([]int, 200_000)
	for i := range lengths {
		lengths[i] = 20 + rng.IntN(500)
	}
	var p data.Packer
	_, n := p.Pack(lengths, 2048, 0)
	total := 0
	for _, length := range lengths {
		total += length
	}
	require.Less(t, float64(n), 1.01*float64(total)/2048, "many small items leave almost no room empty")
	require.Zero(t, testing.AllocsPerRun(1, func() { p.Pack(lengths, 2048, 0) }))
}

package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPhiloxKnownAnswers uses the vectors of Random123's kat_vectors file.
func TestPhiloxKnownAnswers(t *testing.T) {
	const all = 0xffffffff
	assert.Equal(t, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, Philox(0, [4]uint32{}))
	assert.Equal(t, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}, Philox(all<<32|all, [4]uint32{all, all, all, all}))
	assert.Equal(t, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		Philox(0x299f31d0<<32|0xa4093822, [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}))
}

// Every level draws the numbers that Uniform defines, wherever a group begins
// and where the low counter word overflows, and writes nothing else.
func TestUniformFillAtEveryLevel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for _, name := range Levels() {
		restore, err := SetLevel(name)
		require.NoError(t, err)
		for _, start := range []uint64{0, 1, 2, 3, 4, 1 << 20, 1<<34 - 200, 1<<34 - 130, 1 << 34, 1<<40 + 5} {
			for _, n := range []int{0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 300, 1000} {
				dst, check := guarded(r, n)
				UniformFill(dst, 0x299f31d0<<32|0xa4093822, 3, 9, start)
				for i, v := range dst {
					require.Equal(t, Uniform(0x299f31d0<<32|0xa4093822, 3, 9, start+uint64(i)), v, "%s: start %d, element %d of %d", name, start, i, n)
				}
				check(t)
			}
		}
		restore()
	}
}

func TestDropAtEveryLevel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	nan := float32(math.NaN())
	for _, name := range Levels() {
		restore, err := SetLevel(name)
		require.NoError(t, err)
		for _, n := range testLengths() {
			x, _ := guarded(r, n)
			u := make([]float32, n)
			UniformFill(u, 1, 2, 3, 4)
			if n > 5 {
				u[1], u[2], x[3], x[4] = 0.5, 0, nan, nan // a number equal to p is kept
				u[3], u[4] = 0.1, 0.9
			}
			dst, check := guarded(r, n)
			sum, checkSum := guarded(r, n)
			before := append([]float32(nil), sum...)
			Drop(dst, x, u, 0.5, 1.5)
			DropAdd(sum, x, u, 0.5, 1.5)
			for i := range dst {
				want, wantSum := float32(0), before[i]
				if u[i] >= 0.5 {
					want, wantSum = 1.5*x[i], before[i]+float32(1.5*x[i])
				}
				if want != want {
					require.True(t, dst[i] != dst[i] && sum[i] != sum[i])
					continue
				}
				require.Equal(t, want, dst[i], "%s: element %d of %d", name, i, n)
				require.Equal(t, wantSum, sum[i], "%s: element %d of %d", name, i, n)
			}
			check(t)
			checkSum(t)
			Drop(x, x, u, 0.5, 1.5)
			for i := range x {
				require.True(t, x[i] == dst[i] || x[i] != x[i], "in place")
			}
		}
		restore()
	}
	wide := []float64{1, 2, 3}
	Drop(wide, wide, []float32{0, 1, 0.5}, 0.5, 2)
	require.Equal(t, []float64{0, 4, 6}, wide)
	DropAdd(wide, wide, []float32{0, 1, 0}, 0.5, 2)
	require.Equal(t, []float64{0, 12, 6}, wide)
}

func BenchmarkUniformFill(b *testing.B) {
	dst := make([]float32, 4096)
	for _, name := range Levels() {
		b.Run(name, func(b *testing.B) {
			restore, err := SetLevel(name)
			require.NoError(b, err)
			defer restore()
			b.SetBytes(4096) // numbers, so that MB/s are millions a second
			for b.Loop() {
				UniformFill(dst, 1, 2, 3, 0)
			}
		})
	}
}

func TestUniform(t *testing.T) {
	for _, start := range []uint64{0, 1, 7, 1<<34 - 3} {
		fill := make([]float32, 101)
		UniformFill(fill, 42, 3, 9, start)
		for i, v := range fill {
			assert.Equal(t, Uniform(42, 3, 9, start+uint64(i)), v)
			assert.True(t, v >= 0 && v < 1)
		}
	}
	const n = 1 << 16
	x := make([]float32, n)
	UniformFill(x, 1, 0, 0, 0)
	var sum, squares float64
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	// Four standard deviations of mean and second moment.
	assert.InDelta(t, 0.5, sum/n, 4*0.2887/256)
	assert.InDelta(t, 1.0/3, squares/n, 4*0.2981/256)
	for _, other := range []float32{Uniform(2, 0, 0, 0), Uniform(1, 1, 0, 0), Uniform(1, 0, 1, 0), Uniform(1, 0, 0, 1)} {
		assert.NotEqual(t, x[0], other, "every argument matters")
	}
}

package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPhiloxKnownAnswers uses the vectors of Random123's kat_vectors file.
func TestPhiloxKnownAnswers(t *testing.T) {
	const all = 0xffffffff
	assert.Equal(t, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, Philox(0, [4]uint32{}))
	assert.Equal(t, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}, Philox(all<<32|all, [4]uint32{all, all, all, all}))
	assert.Equal(t, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		Philox(0x299f31d0<<32|0xa4093822, [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}))
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

package rlhf

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// One token may be further from the sampler than the others, none far, and all
// together not at all.
func TestAgreement(t *testing.T) {
	of := func(n int, each, one float64) (near bool, err error) {
		a := agreement{mean: samplerMean32, most: samplerMost32}
		near = a.add(-20-20*one, -20)
		for range n {
			near = a.add(-0.5-each, -0.5) && near
		}
		return near, a.check()
	}
	near, err := of(10_000, 0.9e-5, 0.9e-3)
	assert.True(t, near)
	assert.NoError(t, err)
	near, _ = of(10_000, 0, 1.1e-3)
	assert.False(t, near, "one token is far")
	near, _ = of(1, 0, math.NaN())
	assert.False(t, near)
	near, err = of(10_000, 1.2e-5, 0)
	assert.True(t, near)
	assert.ErrorIs(t, err, ErrFirstStep)
}

package train

import (
	"context"
	"math"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var nan = math.NaN()

// oneCore returns a device without goroutines.
func oneCore(t testing.TB) *tensor.Device {
	d := tensor.NewDevice(1)
	t.Cleanup(d.Close)
	return d
}

func TestTrainFindsTheMinimum(t *testing.T) {
	for _, wide := range []bool{false, true} {
		s := newToy(wide, []int{0, 1, 2, 3}, []int{4, 5}, []int{6, 7})
		tr, err := New(s, Options{Optimizer: AdamW{LR: 0.1}, MaxSteps: 300, Device: oneCore(t)})
		require.NoError(t, err)
		var first, last float64
		require.NoError(t, tr.Train(context.Background(), Hooks{Step: func(s Step) error {
			if s.N == 1 {
				first = s.Loss
			}
			last = s.Loss
			return nil
		}}))
		assert.Equal(t, 300, tr.Step())
		assert.Less(t, last, first*1e-6)
		assert.InDeltaSlice(t, toyMinimum, s.w(), 1e-2)
	}
}

package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/train"
)

func TestMemoryIsComparedWithoutTheWeights(t *testing.T) {
	m := train.Memory{Weights: 5 << 20, Gradients: 1 << 20, Optimizer: 2 << 20, Arena: 4 << 20}
	require.NoError(t, m.Fits(7<<20))
	require.NoError(t, m.Fits(-1))
	err := m.Fits(7<<20 - 1)
	require.ErrorIs(t, err, train.ErrMemory)
	require.ErrorContains(t, err, "it takes 12 MiB: weights 5, gradients 1, optimizer 2, activations 4; beside the weights 6 MiB are available")
	m.Reference, m.Cache = 1<<20, 3<<20
	require.Equal(t, "16 MiB: weights 5, gradients 1, optimizer 2, activations 4, reference 1, cache 3", m.String())
	require.ErrorIs(t, m.Fits(10<<20), train.ErrMemory)
}

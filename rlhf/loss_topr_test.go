package rlhf_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/losstest"
)

// Two rows of two tokens, twice as likely and a quarter as likely as they were, with
// either advantage: only the bad one that has become unlikely counts less.
func TestTOPRByHand(t *testing.T) {
	b := losstest.Batch{
		Rows: 4, Width: 2, Mask: filled(8, 1), Denominator: 1, Old: filled(8, -1), RowAdvantage: []float64{3, 3, -3, -3},
		LogProb: []float64{-1 + math.Ln2, -1, -1 - math.Ln2, -1 - math.Ln2, -1 + math.Ln2, -1, -1 - math.Ln2, -1 - math.Ln2},
	}
	got, err := losstest.Evaluate[float64](rlhf.Objective{Policy: rlhf.TOPR{}}, b)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{-3, -3, -3, -3, 3, 3, 0.75, 0.75}, got.Grad, roundingTol)
}

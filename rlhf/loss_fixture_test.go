package rlhf_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// number is a number of a fixture; NaN and infinities are strings there.
type number float64

func (n *number) UnmarshalJSON(raw []byte) error {
	switch string(raw) {
	case `"NaN"`:
		*n = number(math.NaN())
	case `"Infinity"`:
		*n = number(math.Inf(1))
	case `"-Infinity"`:
		*n = number(math.Inf(-1))
	default:
		return json.Unmarshal(raw, (*float64)(n))
	}
	return nil
}

// array is a tensor of a fixture.
type array struct {
	Shape []int    `json:"shape"`
	Data  []number `json:"data"`
}

func (a array) values() []float64 {
	out := make([]float64, len(a.Data))
	for i, v := range a.Data {
		out[i] = float64(v)
	}
	return out
}

// near compares lists relative to the largest number wanted, or to lossFloor.
func near(t testing.TB, want, got []float64, tol float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	size := lossFloor
	for _, v := range want {
		if !math.IsNaN(v) {
			size = math.Max(size, math.Abs(v))
		}
	}
	for i := range want {
		if math.IsNaN(want[i]) {
			require.True(t, math.IsNaN(got[i]), "%s: element %d: got %v, want NaN", what, i, got[i])
			continue
		}
		require.LessOrEqual(t, math.Abs(got[i]-want[i]), tol*size, fmt.Sprintf("%s: element %d: got %v, want %v", what, i, got[i], want[i]))
	}
}

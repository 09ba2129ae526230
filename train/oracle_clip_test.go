package train

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clipTolerance: sums of about 20 squares in float64, in another order.
const clipTolerance = 1e-14

// meanTolerance: torch's running mean weighs with 1/n rounded to float32
// (checked: rounding it there gives the fixture's numbers to 1e-16).
const meanTolerance = 1e-7

type clipFile struct {
	DecayGroups map[string][][3]json.RawMessage `json:"decay_groups"`
	Clipping    []struct {
		ID        string
		MaxNorm   float64         `json:"max_norm"`
		NormType  *number         `json:"norm_type"`
		ClipValue *float64        `json:"clip_value"`
		TotalNorm number          `json:"total_norm"`
		Grads     json.RawMessage // one entry a tensor
		Clipped   json.RawMessage
	}
	Averaging []struct {
		ID              string
		Decay           float64
		Given, Averaged []json.RawMessage
	}
}

func TestOracleClipAverageGroups(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "optim") {
		var file clipFile
		oracle.ReadJSON(t, filepath.Join(root, "clip_average_groups.json"), &file)
		t.Run("decay_groups", func(t *testing.T) {
			for model, params := range file.DecayGroups {
				for _, p := range params {
					var name string
					var decayed bool
					require.NoError(t, json.Unmarshal(p[0], &name))
					require.NoError(t, json.Unmarshal(p[2], &decayed))
					assert.Equal(t, decayed, DecayMatrices.Decays(name), "%s %s", model, name)
					assert.True(t, DecayAll.Decays(name))
				}
				tally.Compared(1)
			}
		})
		for _, c := range file.Clipping {
			t.Run("clip "+c.ID, func(t *testing.T) {
				params := gradsOf(t, c.Grads)
				if c.ClipValue != nil {
					ClipGradValues(params, *c.ClipValue)
				} else {
					p := 2.0
					if c.NormType != nil {
						p = float64(*c.NormType)
					}
					norm := GradNorm(params, p)
					requireClose(t, []float64{float64(c.TotalNorm)}, []float64{norm})
					ScaleGrads(params, ClipFactor(norm, c.MaxNorm))
				}
				for i, want := range gradsOf(t, c.Clipped) {
					requireClose(t, want.(*toyParam).gr64, params[i].(*toyParam).gr64)
				}
				tally.Compared(1)
			})
		}
		for _, c := range file.Averaging {
			t.Run("average "+c.ID, func(t *testing.T) {
				p := flatParam("p", flatten(t, c.Given[0]), true)
				a := NewAverage([]Parameter{p}, c.Decay)
				for i, given := range c.Given {
					copy(p.data64, flatten(t, given))
					a.Update()
					want := flatten(t, c.Averaged[i])
					if c.Decay == 0 {
						require.InDeltaSlice(t, want, a.Values(0), meanTolerance)
					} else {
						requireClose(t, want, a.Values(0))
					}
				}
				tally.Compared(1)
			})
		}
	}
}

// gradsOf makes parameters with the given gradients, one a tensor.
func gradsOf(t *testing.T, raw json.RawMessage) []Parameter {
	var tensors []json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &tensors))
	var params []Parameter
	for i, x := range tensors {
		g := flatten(t, x)
		p := flatParam("p"+strconv.Itoa(i), make([]float64, len(g)), true)
		p.setGrad(g)
		params = append(params, p)
	}
	return params
}

// requireClose compares up to clipTolerance, relative; NaN equals NaN.
func requireClose(t *testing.T, want, got []float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, w := range want {
		if math.IsNaN(w) || math.IsInf(w, 0) || w == 0 {
			require.Equal(t, math.IsNaN(w), math.IsNaN(got[i]), "entry %d", i)
			require.True(t, math.IsNaN(w) || w == got[i], "entry %d: want %v, got %v", i, w, got[i])
			continue
		}
		require.InEpsilon(t, w, got[i], clipTolerance, "entry %d", i)
	}
}

func TestAverageSwap(t *testing.T) {
	p := flatParam("p", []float64{1, 3}, false)
	a := NewAverage([]Parameter{p}, 0)
	a.Update()
	p.data[0] = 2
	a.Update()
	a.Swap()
	assert.Equal(t, []float32{1.5, 3}, p.data)
	a.Swap()
	assert.Equal(t, []float32{2, 3}, p.data)
	assert.Equal(t, 2, p.changes)
}

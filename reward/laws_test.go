package reward_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gradcheck"
)

const (
	// step balances rounding against curvature in central differences.
	step = 1e-5
	// differenceTol is what they are good for, in float64 and for losses of order 1;
	// relative above.
	differenceTol = 1e-7
	// exactTol is for numbers that differ by rounding only.
	exactTol = 1e-12
)

// lawful are the losses with unusual hyperparameters, too.
func lawful() []reward.Loss {
	return append(reward.Losses()[:3:3], reward.BradleyTerry{Centring: 0.3, LabelSmoothing: 0.2}, reward.Ordinal{Levels: []float64{0, 0.25, 0.5, 0.75, 1}},
		reward.Ordinal{Levels: []float64{0, 0.25, 0.5, 0.75, 1}, Slope: 3}, reward.Outcome{}, reward.Outcome{EveryToken: true})
}

// layOut makes a micro-batch of groups.
func layOut(l reward.Loss, groups ...reward.Group) *reward.Batch {
	b := &reward.Batch{}
	b.Reset()
	for i, g := range groups {
		b.AddShared(g, l.Traits().ScoreAt, int32(i))
	}
	return b
}

func TestGradientsAreThoseOfDifferences(t *testing.T) {
	for _, columns := range []int{1, 2} {
		for _, l := range lawful() {
			t.Run(l.Name(), func(t *testing.T) {
				b := layOut(l, someGroups(4, 3)...)
				scores := normals(rand.New(rand.NewPCG(1, 2)), columns*len(b.Rows))
				x, err := reward.NewCalculator(l, capacityOf(b), columns, tensor.Float64)
				require.NoError(t, err)
				at := func() (float64, []float64) {
					values, gradient, err := x.At(b, scores)
					require.NoError(t, err)
					total := 0.0
					for _, v := range values {
						total += v
					}
					return total, append([]float64{}, gradient...)
				}
				_, gradient := at()
				for i, v := range scores {
					scores[i] = v + step
					up, _ := at()
					scores[i] = v - step
					down, _ := at()
					scores[i] = v
					want := (up - down) / (2 * step)
					assert.InDelta(t, want, gradient[i], differenceTol*math.Max(1, math.Abs(want)), "output %d", i)
				}
			})
		}
	}
}

// Neither neighbours nor places that are not used change a group's loss, and
// extreme scores keep it finite.
func TestGroupsAreAlone(t *testing.T) {
	for _, l := range lawful() {
		t.Run(l.Name(), func(t *testing.T) {
			groups := someGroups(4, 3)
			together := layOut(l, groups...)
			scores := normals(rand.New(rand.NewPCG(3, 4)), len(together.Rows))
			all, _ := calculate(t, l, together, scores, tensor.Float64)
			at := 0
			for i, g := range groups {
				alone := layOut(l, g)
				one, _ := calculate(t, l, alone, scores[at:at+len(alone.Rows)], tensor.Float64)
				assert.InDelta(t, all[i], one[0], exactTol*math.Max(1, all[i]), "group %d", i)
				at += len(alone.Rows)
			}
			for i := range scores {
				scores[i] = 700 * math.Copysign(1, scores[i])
			}
			for dt := range precisions {
				values, gradient := calculate(t, l, together, scores, dt)
				for _, v := range append(values, gradient...) {
					assert.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%v", dt)
				}
			}
		})
	}
}

// With two answers a ranking is a comparison.
func TestARankingOfTwoIsAComparison(t *testing.T) {
	b := batchOf(5, 2, nil)
	scores := normals(rand.New(rand.NewPCG(5, 6)), 10)
	pl, plGradient := calculate(t, reward.PlackettLuce{}, b, scores, tensor.Float64)
	want := append([]float64{}, pl...)
	bt, btGradient := calculate(t, reward.BradleyTerry{}, b, scores, tensor.Float64)
	nearly(t, want, bt, exactTol, "loss")
	nearly(t, plGradient, btGradient, exactTol, "gradient")
}

// The package's own ops, alone, with their gradients.
func TestOpsAreDifferentiable(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for name, f := range map[string]gradcheck.Function{
		"suffix": {
			Inputs: []gradcheck.Input{{Name: "x", Data: normals(rng, 7)}, {Name: "ends", IDs: []int32{3, 3, 7}}},
			Build: func(_ *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
				return tensor.Nodes{reward.SuffixLogSumExp(in["x"], in["ends"])}
			},
		},
		"contrast": {
			Inputs: []gradcheck.Input{{Name: "x", Data: normals(rng, 12), Shape: []int{4, 3}}},
			Build: func(_ *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
				return tensor.Nodes{reward.Contrast(in["x"], []float64{1, 0, -2})}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gradcheck.Check(f, gradcheck.Options{})
			require.NoError(t, err)
		})
	}
	_, err := tensor.Build(func(g *tensor.Graph) {
		reward.Contrast(tensor.Input(g, tensor.Float64, "x", 4, 3), []float64{1})
	})
	require.ErrorContains(t, err, "want a weight a column")
	_, err = tensor.Build(func(g *tensor.Graph) {
		x := tensor.Input(g, tensor.Float64, "x", 4)
		reward.SuffixLogSumExp(x, x)
	})
	require.ErrorContains(t, err, "want vectors of floats and of int32")
}

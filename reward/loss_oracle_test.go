package reward_test

import (
	"math"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// Tolerances of the loss fixtures (README of oracle/trainers, §1), relative to
// the largest number compared, with the fixture's own floor.
const (
	loss64Tol = 1e-12
	loss32Tol = 1e-5
	lossFloor = 1e-6
)

// array is a tensor of a fixture.
type array struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
}

// lossCase is a case of losses/reward.json.gz or independent/plackett_luce.json.
type lossCase struct {
	ID     string `json:"id"`
	Params struct {
		UseMargin bool     `json:"use_margin"`
		Centring  *float64 `json:"center_rewards_coefficient"`
		Beta      float64  `json:"beta"`
	} `json:"params"`
	Inputs  map[string]array `json:"inputs"`
	Outputs struct {
		Loss    float64            `json:"loss"`
		Grads   map[string]array   `json:"grads"`
		Grad    array              `json:"grad_logratios"`
		Metrics map[string]float64 `json:"metrics"`
	} `json:"outputs"`
	Float32 struct {
		Fragile bool `json:"fragile"`
	} `json:"float32_run"`
}

func readCases(t *testing.T, folder, file string, compare func(t *testing.T, c *lossCase)) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, folder) {
		var fixture struct {
			Cases []lossCase `json:"cases"`
		}
		oracle.ReadJSON(t, filepath.Join(root, file), &fixture)
		for i := range fixture.Cases {
			t.Run(fixture.Cases[i].ID, func(t *testing.T) {
				compare(t, &fixture.Cases[i])
				tally.Compared(1)
			})
		}
	}
}

// batchOf is a micro-batch of groups with so many answers each, one token an
// answer.
func batchOf(groups, answers int, margins []float64) *reward.Batch {
	b := &reward.Batch{}
	b.Reset()
	for i := range groups {
		g := reward.Group{Answers: make([]reward.Candidate, answers)}
		for k := range g.Answers {
			g.Answers[k].IDs = []int32{0}
		}
		if margins != nil {
			g.Margin = margins[i]
		}
		b.Add(g, reward.LastToken, int32(i))
	}
	return b
}

// capacityOf holds the micro-batch and a little more.
func capacityOf(b *reward.Batch) reward.Capacity {
	return reward.Capacity{
		Tokens: len(b.Tokens) + 1, Segments: len(b.Ends) + 1, Groups: len(b.Groups) + 1, Answers: len(b.Last) + 1,
		Comparisons: len(b.Better) + 1, Rows: len(b.Rows) + 1,
	}
}

func calculate(t *testing.T, l reward.Loss, b *reward.Batch, scores []float64, dt tensor.Dtype) (values, gradient []float64) {
	t.Helper()
	c, err := reward.NewCalculator(l, capacityOf(b), len(scores)/len(b.Rows), dt)
	require.NoError(t, err)
	values, gradient, err = c.At(b, scores)
	require.NoError(t, err)
	return values, gradient
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// nearly compares relative to the largest number.
func nearly(t *testing.T, want, got []float64, tol float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	size := lossFloor
	for _, v := range want {
		size = math.Max(size, math.Abs(v))
	}
	for i := range want {
		assert.InDelta(t, want[i], got[i], tol*size, "%s %d", what, i)
	}
}

// precisions are both with their tolerances.
var precisions = map[tensor.Dtype]float64{tensor.Float64: loss64Tol, tensor.Float32: loss32Tol}

func TestOracleRewardLoss(t *testing.T) {
	readCases(t, "trainers/losses", "reward.json.gz", func(t *testing.T, c *lossCase) {
		scores, n := c.Inputs["scores"].Data, len(c.Inputs["margin"].Data)
		// The fixture has all chosen rows before all rejected ones.
		order := func(x []float64) (out []float64) {
			for i := range n {
				out = append(out, x[i], x[n+i])
			}
			return out
		}
		l := reward.BradleyTerry{}
		if c.Params.Centring != nil {
			l.Centring = *c.Params.Centring
		}
		var margins []float64
		if c.Params.UseMargin {
			margins = c.Inputs["margin"].Data
		}
		b := batchOf(n, 2, margins)
		for dt, tol := range precisions {
			if dt == tensor.Float32 && c.Float32.Fragile {
				continue
			}
			values, gradient := calculate(t, l, b, order(scores), dt)
			nearly(t, []float64{c.Outputs.Loss}, []float64{mean(values)}, tol, "loss")
			want := order(c.Outputs.Grads["scores"].Data)
			for i := range want {
				want[i] *= float64(n)
			}
			nearly(t, want, gradient, tol, "gradient")
		}
		for name, value := range reward.MetricsOf(l, b, order(scores)) {
			assert.InDelta(t, c.Outputs.Metrics[name], value, 1e-7*math.Max(1, math.Abs(value)), "%s, of which accuracy is float32 in the fixture", name)
		}
	})
}

func TestOraclePlackettLuce(t *testing.T) {
	readCases(t, "trainers/independent", "plackett_luce.json", func(t *testing.T, c *lossCase) {
		x := c.Inputs["logratios"]
		scores := make([]float64, len(x.Data))
		for i, v := range x.Data {
			scores[i] = c.Params.Beta * v
		}
		b := batchOf(x.Shape[0], x.Shape[1], nil)
		for dt, tol := range precisions {
			values, gradient := calculate(t, reward.PlackettLuce{}, b, scores, dt)
			nearly(t, []float64{c.Outputs.Loss}, []float64{mean(values)}, tol, "loss")
			for i := range gradient {
				gradient[i] *= c.Params.Beta / float64(x.Shape[0])
			}
			nearly(t, c.Outputs.Grad.Data, gradient, tol, "gradient "+strconv.Itoa(x.Shape[1]))
		}
	})
}

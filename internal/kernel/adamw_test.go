package kernel

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/require"
)

// Tolerances of oracle/optim/README.md.
const (
	adamW64Tolerance = 1e-12
	adamW32Tolerance = 2e-6
)

type adamWCase struct {
	ID, Optimizer, Problem string
	Options                json.RawMessage
	Groups                 []json.RawMessage
	LRs                    []float64
	Tensors                []string
	Params                 []map[string]json.RawMessage
}

type adamWOptions struct {
	LR          float64
	WeightDecay *float64 `json:"weight_decay"`
	Betas       []float64
	Eps         *float64
	AMSGrad     bool
	Maximize    bool
}

// flatten reads a number or nested arrays of numbers in order.
func flatten(t *testing.T, raw json.RawMessage) []float64 {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(raw, &v))
	var out []float64
	var walk func(any)
	walk = func(v any) {
		if list, ok := v.([]any); ok {
			for _, e := range list {
				walk(e)
			}
			return
		}
		out = append(out, v.(float64))
	}
	walk(v)
	return out
}

func TestOracleAdamW(t *testing.T) {
	for _, root := range oracle.Roots(t, "optim") {
		tally := oracle.NewTally(t)
		var file struct{ Cases []adamWCase }
		oracle.ReadJSON(t, filepath.Join(root, "optimizers.json.gz"), &file)
		var problems struct {
			Problems map[string]struct {
				Params map[string]json.RawMessage
				Grads  []map[string]json.RawMessage
			}
		}
		oracle.ReadJSON(t, filepath.Join(root, "optimizer_problems.json"), &problems)
		for _, c := range file.Cases {
			if c.Optimizer != "AdamW" {
				continue
			}
			var o adamWOptions
			require.NoError(t, json.Unmarshal(c.Options, &o))
			if o.AMSGrad || o.Maximize || len(c.Groups) > 0 {
				tally.Skip(c.ID, "amsgrad, maximize and groups are the optimizer's business")
				continue
			}
			t.Run(c.ID, func(t *testing.T) {
				p := problems.Problems[c.Problem]
				for _, name := range c.Tensors {
					start := flatten(t, p.Params[name])
					var grads, want [][]float64
					for s := range c.Params {
						grads = append(grads, flatten(t, p.Grads[s][name]))
						want = append(want, flatten(t, c.Params[s][name]))
					}
					replay(t, o, c.LRs, start, grads, want, adamW64Tolerance)
					eachLevel(t, func(t *testing.T) { replay(t, o, c.LRs, narrow(start), narrowAll(grads), want, adamW32Tolerance) })
				}
			})
			tally.Compared(len(c.Params) * len(c.Tensors))
		}
	}
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func narrowAll(x [][]float64) (y [][]float32) {
	for _, v := range x {
		y = append(y, narrow(v))
	}
	return y
}

// replay runs a trajectory; half of the gradient comes through GradScale.
func replay[T Float](t *testing.T, o adamWOptions, rates []float64, start []T, grads [][]T, want [][]float64, tolerance float64) {
	t.Helper()
	k := AdamWCoeff{LR: o.LR, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01, GradScale: 0.5}
	if len(o.Betas) == 2 {
		k.Beta1, k.Beta2 = o.Betas[0], o.Betas[1]
	}
	if o.WeightDecay != nil {
		k.WeightDecay = *o.WeightDecay
	}
	if o.Eps != nil {
		k.Eps = *o.Eps
	}
	p := slices.Clone(start)
	m, v, g := make([]T, len(p)), make([]T, len(p)), make([]T, len(p))
	for s := range grads {
		for i := range g {
			g[i] = 2 * grads[s][i]
		}
		k.Step = s + 1
		if len(rates) > 0 {
			k.LR = rates[s]
		}
		AdamW(p, g, m, v, k)
		for i := range p {
			require.InDelta(t, want[s][i], float64(p[i]), tolerance*max(1, math.Abs(want[s][i])), "step %d element %d", s, i)
		}
	}
}

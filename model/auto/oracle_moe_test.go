package auto

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
)

// balanceTolerance bounds the load balance and its gradient in float64, relative to
// the largest: gradients are differences of two passes.
const balanceTolerance = 1e-9

// TestOracleLoadBalance compares the load balance of mixtures of experts, row by row,
// and its gradient with respect to the routers.
func TestOracleLoadBalance(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, c := range oracleCases(t, tally) {
		var file struct {
			MoE *struct {
				Rows []struct {
					Aux float64 `json:"aux_loss"`
				}
				Coefficient float64 `json:"router_aux_loss_coef"`
			}
		}
		oracle.ReadJSON(t, c.dir+"/reference.json", &file)
		if file.MoE == nil {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			r := readReference(t, c)
			k := openCase(t, c, "config.json", Options{Weights: tensor.Float64})
			assert.Equal(t, file.MoE.Coefficient, k.Model.Config().Experts.Balance)
			require.NoError(t, modeltest.Trainable(k.Model, true))
			_, rows := r.rows(t)
			for i, want := range file.MoE.Rows {
				p, err := modeltest.Compute(k.Model, rows[i:i+1], modeltest.PassOptions{Balance: 1})
				require.NoError(t, err)
				assert.InEpsilon(t, want.Aux, p.Balance, balanceTolerance, "row %d", i)
			}
			compareBalanceGradients(t, k, r, rows[:1])
			tally.Compared(len(file.MoE.Rows) + 1)
		})
	}
}

func compareBalanceGradients(t *testing.T, k *Checkpoint, r *reference, rows [][]int32) {
	weights := lossWeights(rows, nil)
	with, err := modeltest.Compute(k.Model, rows, modeltest.PassOptions{Weights: weights, Balance: 1})
	require.NoError(t, err)
	without, err := modeltest.Compute(k.Model, rows, modeltest.PassOptions{Weights: weights})
	require.NoError(t, err)
	compared := 0
	for name := range r.file.Tensors() {
		router, ok := strings.CutPrefix(name, "grad_aux_row0.")
		if !ok {
			continue
		}
		got := with.Grads[router]
		for i, x := range without.Grads[router] {
			got[i] -= x
		}
		d, size := modeltest.Farthest(got, r.floats(t, name))
		assert.LessOrEqual(t, d, storageTolerance*size, name)
		compared++
	}
	assert.Positive(t, compared)
}

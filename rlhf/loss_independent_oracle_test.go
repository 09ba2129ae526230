package rlhf_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/losstest"
)

// independentData is a tensor of an independent fixture, or a plain number.
type independentData []float64

func (d *independentData) UnmarshalJSON(raw []byte) error {
	var one number
	if json.Unmarshal(raw, &one) == nil {
		*d = independentData{float64(one)}
		return nil
	}
	var a array
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	*d = a.values()
	return nil
}

// independentCase is a case without a library behind it.
type independentCase struct {
	ID      string                     `json:"id"`
	Inputs  map[string]array           `json:"inputs"`
	Outputs map[string]independentData `json:"outputs"`
}

func eachIndependent(t *testing.T, family string, check func(t *testing.T, c independentCase)) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/independent") {
		var file struct {
			Cases []independentCase `json:"cases"`
		}
		oracle.ReadJSON(t, filepath.Join(root, family+".json"), &file)
		for _, c := range file.Cases {
			t.Run(c.ID, func(t *testing.T) { check(t, c) })
			tally.Compared(1)
		}
	}
}

// The KL terms as losses: values and gradients of k1, k2, k3, and of the one with the
// value of k3 and the gradient of k2.
func TestOracleKLTerms(t *testing.T) {
	eachIndependent(t, "kl", func(t *testing.T, c independentCase) {
		shape := c.Inputs["policy_logps"].Shape
		b := losstest.Batch{
			Rows: shape[0], Width: shape[1], LogProb: c.Inputs["policy_logps"].values(), Ref: c.Inputs["ref_logps"].values(),
			Mask: c.Inputs["mask"].values(), RowAdvantage: make([]float64, shape[0]), Denominator: 1,
		}
		for _, k := range []struct {
			estimator       rlhf.Estimator
			value, gradient string
		}{{rlhf.K1, "k1", "k1_grad"}, {rlhf.K2, "k2", "k2_grad"}, {rlhf.K3, "k3", "k3_grad"}, {rlhf.K3Plus, "k3", "k2_grad"}} {
			got, err := losstest.Evaluate[float64](rlhf.Objective{Policy: rlhf.REINFORCE{}, KL: rlhf.KL{Coef: 1, Estimator: k.estimator}}, b)
			require.NoError(t, err)
			want := make([]float64, shape[0])
			for i, v := range c.Outputs[k.value] {
				want[i/shape[1]] += v
			}
			near(t, want, got.Loss, loss64Tol, k.value)
			near(t, c.Outputs[k.gradient], got.Grad, loss64Tol, k.gradient)
		}
	})
}

func TestOracleGPGLoss(t *testing.T) {
	eachIndependent(t, "gpg", func(t *testing.T, c independentCase) {
		shape := c.Inputs["policy_logps"].Shape
		mask := c.Inputs["mask"].values()
		got, err := losstest.Evaluate[float64](rlhf.Objective{Policy: rlhf.GPG{}}, losstest.Batch{
			Rows: shape[0], Width: shape[1], LogProb: c.Inputs["policy_logps"].values(), Mask: mask,
			RowAdvantage: c.Outputs["advantages"], Denominator: losstest.Total(mask),
		})
		require.NoError(t, err)
		near(t, c.Outputs["loss"], []float64{losstest.Total(got.Loss) / losstest.Total(mask)}, loss64Tol, "loss")
		near(t, c.Outputs["grad_policy_logps"], got.Grad, loss64Tol, "gradient")
	})
}

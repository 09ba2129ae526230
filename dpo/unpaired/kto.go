package unpaired

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// KTO is Kahneman–Tversky optimisation: how much better than its reference point z
// an answer is, with the value function of prospect theory:
//
//	L = λ_D·(1 − σ(β·(ℓ − z)))  for desirable y,   ℓ = log π(y|x)/π₀(y|x)
//	L = λ_U·(1 − σ(β·(z − ℓ)))  for undesirable y
//	z = max(0, mean log π(y′|x)/π₀(y′|x))          over mismatched answers y′
//
// with z detached.
//
// Ethayarajh et al. 2024, "KTO: Model Alignment as Prospect Theoretic
// Optimization", arXiv:2402.01306, eqs. 7 and 8. Choose the weights so that
// λ_D·n_D / λ_U·n_U lies between 1 and 4/3; see Balance.
//
// At π = π₀ the loss is half the weight.
type KTO struct {
	DesirableWeight   float64 `json:"desirable_weight,omitempty"`   // λ_D; 0 means 1
	UndesirableWeight float64 `json:"undesirable_weight,omitempty"` // λ_U; 0 means 1
}

// Name is "kto".
func (KTO) Name() string { return "kto" }

// Traits implements Loss.
func (l KTO) Traits() Traits {
	d, u := l.weights()
	return Traits{KL: true, Known: true, AtReference: [2]float64{d / 2, u / 2}}
}

// Validate reports faulty weights.
func (l KTO) Validate() error {
	return errors.Join(checkWeight("KTO.DesirableWeight", l.DesirableWeight), checkWeight("KTO.UndesirableWeight", l.UndesirableWeight))
}

// Build implements Loss.
func (l KTO) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	if in.KL == nil {
		tensor.Fail("unpaired: KTO: got no KL, want it (Traits.KL)")
	}
	d, u := l.weights()
	gain := in.Toward(tensor.Scale(tensor.Sub(in.Ratio, tensor.BroadcastRows(in.KL, in.Ratio)), in.Beta))
	return Terms{Loss: tensor.Sigmoid(tensor.Neg(gain)), Weight: in.Either(d, u)}
}

func (l KTO) weights() (desirable, undesirable float64) {
	return orOne(l.DesirableWeight), orOne(l.UndesirableWeight)
}

// Balance is λ_D·n_D / λ_U·n_U of rows, which should lie between 1 and 4/3; +Inf
// where no row is undesirable.
func (l KTO) Balance(rows []Row) float64 {
	d, u := l.weights()
	good, bad := Count(rows)
	return d * float64(good) / (u * float64(bad))
}

func orOne(w float64) float64 {
	if w == 0 {
		return 1
	}
	return w
}

func checkWeight(name string, w float64) error {
	if !(w >= 0) || math.IsInf(w, 0) {
		return fmt.Errorf("unpaired: %s: got %g, want a positive number, or 0 for 1", name, w)
	}
	return nil
}

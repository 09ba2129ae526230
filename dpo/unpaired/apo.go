package unpaired

import (
	"errors"

	"github.com/posttrain/posttrain/tensor"
)

// APOZero is anchored preference optimisation on single answers: the likelihood of
// desirable ones is to rise, of others to fall, with the reference as the anchor:
//
//	L = λ_D·(1 − σ(β·ℓ))  for desirable y,  ℓ = log π(y|x)/π₀(y|x)
//	L = λ_U·σ(β·ℓ)        for undesirable y
//
// D'Oosterlinck et al. 2024, "Anchored Preference Optimization and Contrastive
// Revisions: Addressing Underspecification in Alignment", arXiv:2408.06266, eq. 7
// taken apart, as TRL's apo_zero_unpaired. It is KTO with z = 0.
//
// At π = π₀ the loss is half the weight.
type APOZero struct {
	DesirableWeight   float64 `json:"desirable_weight,omitempty"`   // λ_D; 0 means 1
	UndesirableWeight float64 `json:"undesirable_weight,omitempty"` // λ_U; 0 means 1
}

// Name is "apo_zero_unpaired".
func (APOZero) Name() string { return "apo_zero_unpaired" }

// Traits implements Loss.
func (l APOZero) Traits() Traits {
	return Traits{Known: true, AtReference: [2]float64{orOne(l.DesirableWeight) / 2, orOne(l.UndesirableWeight) / 2}}
}

// Validate reports faulty weights.
func (l APOZero) Validate() error {
	return errors.Join(checkWeight("APOZero.DesirableWeight", l.DesirableWeight), checkWeight("APOZero.UndesirableWeight", l.UndesirableWeight))
}

// Build implements Loss.
func (l APOZero) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	return Terms{Loss: tensor.Sigmoid(tensor.Neg(in.Toward(in.Reward()))), Weight: in.Either(orOne(l.DesirableWeight), orOne(l.UndesirableWeight))}
}

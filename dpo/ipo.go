package dpo

import (
	"fmt"

	"github.com/posttrain/posttrain/tensor"
)

// Normalisation says what the scores of IPO are taken over.
type Normalisation uint8

// The two normalisations of IPO. The same β means something else in each.
const (
	// PerToken divides the score of an answer by its number of tokens, as TRL
	// does after asking the authors.
	PerToken Normalisation = iota
	// PerSequence takes sums over the answer, as the paper writes and OpenRLHF
	// does.
	PerSequence
)

// IPO is identity preference optimisation: a margin of 1/(2β), neither less nor
// more:
//
//	L = (h − 1/(2β))²,  h = s⁺/|y⁺| − s⁻/|y⁻|  (PerToken)  or  s⁺ − s⁻  (PerSequence)
//
// Azar et al. 2023, "A General Theoretical Paradigm to Understand Learning from
// Human Preferences", arXiv:2310.12036, eq. 17 (β is their τ).
//
// At π = π₀ the loss is 1/(4β²).
type IPO struct {
	Over Normalisation `json:"over,omitempty"`
}

// Name is "ipo", or "ipo_sum" with PerSequence.
func (l IPO) Name() string {
	if l.Over == PerSequence {
		return "ipo_sum"
	}
	return "ipo"
}

// Traits implements Described.
func (IPO) Traits(beta float64) Traits {
	return Traits{Known: true, AtReference: 1 / (4 * beta * beta)}
}

// Validate refuses an unknown normalisation.
func (l IPO) Validate() error { return checkNormalisation("IPO", l.Over) }

func checkNormalisation(loss string, n Normalisation) error {
	if n > PerSequence {
		return fmt.Errorf("dpo: %s: Over is %d, want PerToken or PerSequence", loss, n)
	}
	return nil
}

// Build implements Loss.
func (l IPO) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	z := in.MeanMargin()
	if l.Over == PerSequence {
		z = in.Margin()
	}
	return Terms{Loss: squareTo(tensor.Scale(z, 1/in.Beta), 1/(2*in.Beta))}
}

// farthest bounds, in nats, what is squared: its square is still a float32.
const farthest = 1e18

// squareTo is (x − goal)². Farther than farthest from the goal, where divergences
// that grow like e^ℓ may well lead, the loss is level: its gradient, which float32
// could not hold beside the loss, would be clipped anyway.
func squareTo(x *tensor.Node, goal float64) *tensor.Node {
	return tensor.Square(tensor.Clip(tensor.AddScalar(x, -goal), -farthest, farthest))
}

package unpaired

import (
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/tensor"
)

// LogProbs is what a loss sees of a micro-batch of R rows: how likely the policy π
// and the reference π₀ find the answer y to a prompt x, in nats, summed over the
// answer's tokens. Nodes have shape (R) unless said otherwise.
type LogProbs struct {
	LogProb *tensor.Node // log π(y|x)
	Ratio   *tensor.Node // log π(y|x)/π₀(y|x), summed token by token
	Tokens  *tensor.Node // of the answer; no gradient

	Desirable *tensor.Node // 1 for desirable answers, 0 for others; no gradient
	Likeness  *tensor.Node // Row.Likeness; no gradient

	// KL, (1), is z: the mean log-ratio of mismatched texts, at least 0; no
	// gradient. It is nil for losses that do not ask for it (Traits.KL).
	KL *tensor.Node
	// Delta, (1), is δ: the mean reward of all rows so far, those of this step
	// included; no gradient. It is nil for losses that do not ask for it.
	Delta *tensor.Node

	// Beta is β, how strongly the policy is held to the reference.
	Beta float64
}

// Toward turns x round for undesirable answers: what is to rise.
func (in LogProbs) Toward(x *tensor.Node) *tensor.Node {
	return tensor.Mul(x, tensor.AddScalar(tensor.Scale(in.Desirable, 2), -1))
}

// Either is a where the answer is desirable and b where it is not.
func (in LogProbs) Either(a, b float64) *tensor.Node {
	return tensor.AddScalar(tensor.Scale(in.Desirable, a-b), b)
}

// Reward is β·log π(y|x)/π₀(y|x).
func (in LogProbs) Reward() *tensor.Node { return tensor.Scale(in.Ratio, in.Beta) }

// Terms is what a loss makes of a micro-batch.
type Terms struct {
	// Loss is the loss of each row, (R).
	Loss *tensor.Node
	// Weight, (R), multiplies the losses; nil means 1. No gradient passes through
	// it, and the sum of losses is divided by the number of rows all the same.
	Weight *tensor.Node
	// Metrics are logged as means over rows.
	Metrics []dpo.Metric
}

// Loss says what is minimised. The trainer sums the losses of all rows of an
// optimizer step and divides once by their number. Build may use Gorgonia's own
// ops and stops graph building on misuse (tensor.Fail).
type Loss interface {
	// Name identifies the loss in saved options and on command lines.
	Name() string
	Build(g *tensor.Graph, in LogProbs) Terms
	// Traits is what the loss declares about itself; the zero value declares
	// nothing.
	Traits() Traits
}

// Traits are what a loss declares about itself.
type Traits struct {
	KL    bool // asks for LogProbs.KL
	Delta bool // asks for LogProbs.Delta
	// Known says that AtReference is the loss of a desirable and of an undesirable
	// row where π = π₀, z = 0 and δ = 0. The trainer checks it in the first step.
	Known       bool
	AtReference [2]float64
}

// Losses lists one of every loss of this package, with its default
// hyperparameters.
func Losses() []Loss { return []Loss{KTO{}, APOZero{}, BCO{}} }

// validator is a loss that can tell that its hyperparameters make no sense.
type validator interface{ Validate() error }

func check(l Loss) error {
	if v, ok := l.(validator); ok {
		return v.Validate()
	}
	return nil
}

// require stops graph building on faulty hyperparameters.
func require(l Loss) {
	if err := check(l); err != nil {
		tensor.Fail("%v", err)
	}
}

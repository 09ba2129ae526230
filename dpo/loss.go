package dpo

import (
	"errors"

	"github.com/posttrain/posttrain/tensor"
)

// LogProbs is what a loss sees of a micro-batch of B pairs: how likely the policy
// π and the reference π₀ find the answers y⁺ (chosen) and y⁻ (rejected) of a
// prompt x. Log-probabilities are natural ones, summed over the tokens of the
// answer, its end token included. Nodes have shape (B) unless said otherwise.
type LogProbs struct {
	Chosen, Rejected       *tensor.Node // log π(y|x); tokens past the shorter answer count Options.LDAlpha
	RefChosen, RefRejected *tensor.Node // log π₀(y|x), likewise; no gradient

	// ChosenRatio and RejectedRatio are log π(y|x)/π₀(y|x), summed token by
	// token: they keep more digits than differences of the sums above.
	ChosenRatio, RejectedRatio *tensor.Node

	ChosenTokens, RejectedTokens *tensor.Node // tokens of the answers, at least 1; no gradient

	// ChosenLikelihood is log π(y⁺|x) over all tokens, whatever Options.LDAlpha.
	ChosenLikelihood *tensor.Node
	// MeanChosenTokens, (1), is the mean length of the chosen answers over all
	// pairs whose losses are divided together; no gradient.
	MeanChosenTokens *tensor.Node

	// PromptLikelihood is log π(x) of the prompt's tokens but the first, which
	// nothing predicts, and MeanTextTokens, (1), the mean number of tokens that
	// prompt and chosen answer together predict, as MeanChosenTokens; no gradient
	// through the latter. Both are nil but for losses that ask (Traits.Prompt).
	PromptLikelihood, MeanTextTokens *tensor.Node

	// Confidence is how sure the policy is of both answers, for WPO; no gradient.
	Confidence *tensor.Node

	// Beta is β, how strongly the policy is held to the reference. All losses of
	// a run share it, as the logged rewards are β·log π/π₀.
	Beta float64
	// Divergence says how log-ratios become scores; never nil.
	Divergence Divergence
}

// Scores are the scores s of both answers: their log-ratios as the divergence
// sees them.
func (in LogProbs) Scores() (chosen, rejected *tensor.Node) {
	return in.Divergence.Score(in.ChosenRatio), in.Divergence.Score(in.RejectedRatio)
}

// Margin is β·(s⁺ − s⁻) for the scores of Scores.
func (in LogProbs) Margin() *tensor.Node {
	c, r := in.Scores()
	return tensor.Scale(tensor.Sub(c, r), in.Beta)
}

// MeanMargin is β·(s⁺/|y⁺| − s⁻/|y⁻|): each score is divided by the number of
// tokens of its answer.
func (in LogProbs) MeanMargin() *tensor.Node {
	c, r := in.Scores()
	return tensor.Scale(tensor.Sub(tensor.Div(c, in.ChosenTokens), tensor.Div(r, in.RejectedTokens)), in.Beta)
}

// Rewards are the implicit rewards β·log π(y|x)/π₀(y|x) of both answers.
func (in LogProbs) Rewards() (chosen, rejected *tensor.Node) {
	return tensor.Scale(in.ChosenRatio, in.Beta), tensor.Scale(in.RejectedRatio, in.Beta)
}

// Terms is what a loss makes of a micro-batch.
type Terms struct {
	// Loss is the loss of each pair, (B).
	Loss *tensor.Node
	// Rewards and LogProbs, of chosen and rejected answers, (B) each, are logged in
	// place of β·log π/π₀ (in runs without a reference β·log π) and log π; nil
	// means those.
	Rewards, LogProbs [2]*tensor.Node
	// Weight, (B), multiplies the losses; nil means 1. No gradient passes through
	// it, and it does not change what the sum of losses is divided by, which is
	// the number of pairs.
	Weight *tensor.Node
	// Metrics are logged as means over pairs.
	Metrics []Metric
}

// Metric is a number to log for each pair, (B).
type Metric struct {
	Name  string
	Value *tensor.Node
}

// Loss says what is minimised: a function of the log-probabilities of pairs. The
// trainer sums the losses of all pairs of an optimizer step and divides once by
// their number. Build may use Gorgonia's own ops and stops graph building on
// misuse (tensor.Fail). Package losstest holds the laws a loss must keep.
type Loss interface {
	// Name identifies the loss in saved options and on command lines.
	Name() string
	Build(g *tensor.Graph, in LogProbs) Terms
}

// Traits are what a loss declares about itself. The zero value declares nothing.
type Traits struct {
	// ReferenceFree losses do not change with π₀. A run of such a loss computes no
	// reference: RefChosen, RefRejected and the ratios are nil.
	ReferenceFree bool
	// Prompt asks for LogProbs.PromptLikelihood, which costs the prompt's tokens a
	// pass through the head of the model.
	Prompt bool
	// BatchCoupled losses let the pairs of a micro-batch influence each other, so
	// that an optimizer step must be one micro-batch for its pairs to meet.
	BatchCoupled bool
	// Known says that AtReference is the loss of every pair where π = π₀.
	Known       bool
	AtReference float64
}

// Described is a Loss that declares its traits for a given β. The trainer checks
// them in the first step.
type Described interface {
	Loss
	Traits(beta float64) Traits
}

// Selective is a Loss that cannot learn from pairs in any arrangement, as those of
// package group. New asks it about its source and about EvalData.
type Selective interface {
	Loss
	CheckSource(src StepSource) error
}

// selects asks a loss, or those in a Sum, about a source.
func selects(l Loss, src StepSource) error {
	if l, ok := l.(Selective); ok {
		return l.CheckSource(src)
	}
	var faults []error
	if sum, ok := l.(Sum); ok {
		for _, w := range sum {
			faults = append(faults, selects(w.Loss, src))
		}
	}
	return errors.Join(faults...)
}

// traits are those that l declares.
func traits(l Loss, beta float64) Traits {
	if d, ok := l.(Described); ok {
		return d.Traits(beta)
	}
	return Traits{}
}

// validator is a loss that can tell that its hyperparameters make no sense.
type validator interface{ Validate() error }

// check reports faulty hyperparameters of l.
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

// LossFunc makes a Loss of a function; its name is "custom".
type LossFunc func(g *tensor.Graph, in LogProbs) Terms

// Name is "custom".
func (LossFunc) Name() string { return "custom" }

// Build calls f.
func (f LossFunc) Build(g *tensor.Graph, in LogProbs) Terms { return f(g, in) }

// Losses lists one of every loss of this package, with its default
// hyperparameters, for documentation, command lines and tests.
func Losses() []Loss {
	return []Loss{
		Sigmoid{}, Conservative{}, SigmoidNorm{}, Hinge{}, IPO{}, IPO{Over: PerSequence}, Robust{}, EXO{}, NCA{}, BCOPair{}, SPPO{},
		AOT{}, AOTUnpaired{}, APOZero{}, APODown{}, DiscoPOP{}, Positive{}, NLL{},
		ORPO{}, CPO{}, CPOHinge{}, CPOIPO{}, SimPO{}, AlphaPO{}, AlphaPO{Over: PerSequence},
	}
}

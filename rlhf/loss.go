package rlhf

import (
	"github.com/posttrain/posttrain/tensor"
)

// Tokens is what a policy loss sees of a micro-batch: R completions, its rows, of
// M tokens together, those of a row side by side. Log-probabilities are natural
// ones at the sampling temperature. Nodes have shape (M), one number a token,
// unless said otherwise; no gradient passes through any but LogProb, Entropy and
// ExactKL. What stands at tokens of Mask 0 must be finite and does not count.
type Tokens struct {
	LogProb *tensor.Node // log π of each token
	// Old is log π_old, under the policy that sampled the tokens, in the trainer's
	// arithmetic. Nil says that the policy has not moved since: π_old = π.
	Old *tensor.Node
	// Ref is log π₀ under the reference; nil without a KL term in the loss.
	Ref *tensor.Node
	// Sampler is the log-probability that the sampler recorded; nil where it is Old.
	Sampler *tensor.Node

	// Advantage is A: a row's on each of its tokens, or one a token.
	Advantage *tensor.Node
	// RowAdvantage, (R), is each row's advantage for losses of whole rows. Nil takes the
	// mean of Advantage over the row's tokens of Mask 1.
	RowAdvantage *tensor.Node
	// Mask is 1 for tokens that count and 0 for others: tool output, rows that were
	// cut off.
	Mask *tensor.Node
	// Keep is 1 for tokens that the policy's part of the loss uses and 0 for others
	// (TopEntropy). It is nil where all of Mask do. It does not change what sums are
	// divided by.
	Keep *tensor.Node

	// Weight corrects for a sampler whose arithmetic is not the trainer's; RowWeight,
	// (R), does so for whole rows. Both multiply the policy's part of the loss and
	// nothing else; nil means 1.
	Weight, RowWeight *tensor.Node

	// Entropy is the entropy of the policy at each token, in nats; nil unless asked
	// for (Objective.Needs). ExactKL is KL(π‖π₀) over the vocabulary, likewise.
	Entropy, ExactKL *tensor.Node

	Ends    *tensor.Node // (R) int32: exclusive end of each row's tokens
	Row     *tensor.Node // (M) int32: the row of each token
	Lengths *tensor.Node // (R) tokens of Mask 1 in each row, at least 1
	// GroupLengths, (R), is the mean length of the rows of a row's group over the
	// optimizer step, at least 1; only MeanOfGroups needs it.
	GroupLengths *tensor.Node

	// GroupEnds, (G) int32, is the exclusive end of each group's rows where the rows of a
	// group are together in a micro-batch, and Group, (R) int32, the group of each row.
	// Nil unless asked for (Traits.WholeGroups).
	GroupEnds, Group *tensor.Node

	// Taught is what −log π weighs at tokens that were given rather than sampled: the
	// first tokens of MIXER, the pretraining rows of PPO-ptx (package advantage has the
	// weights). Their Mask is 0. Nil where there are none.
	Taught *tensor.Node

	// KLCoef and EntropyCoef, both (1), are the coefficients of the KL term and of the
	// entropy bonus. Nil takes those of the Objective. EntropyCoef comes multiplied by
	// EntropyScale, so that the bonus is a mean over tokens whatever the loss is
	// divided by.
	KLCoef, EntropyCoef *tensor.Node
}

// Terms is what a policy loss makes of a micro-batch: Token, (M), a loss for each
// token, or Row, (R), a loss for each row.
type Terms struct {
	Token, Row *tensor.Node
	// Ratio is π/π_old as the loss sees it, (M); nil means that of each token. It may
	// weigh the KL term (KL.Weighted).
	Ratio   *tensor.Node
	Metrics []Metric
}

// Metric is a number to log.
type Metric struct {
	Name  string
	Value *tensor.Node // (M) or (R), as Over says
	// Over is what the number is a mean over in the whole optimizer step: tokens of
	// Mask 1, or rows.
	Over Unit
	// Reduce is how the numbers of rows become one; those of tokens become a mean.
	Reduce Reduction
}

// Reduction says how the numbers of rows become one. Least and Most leave rows
// without a token of Mask 1 out.
type Reduction uint8

// The reductions.
const (
	Mean Reduction = iota
	Least
	Most
)

// Loss says how the policy learns from advantages: a function of log-probabilities
// of tokens, to be minimised. KL terms, entropy bonuses and masks are added by an
// Objective; the trainer divides once per optimizer step. Build stops graph building
// on misuse (tensor.Fail). Package losstest holds the laws a loss must keep.
type Loss interface {
	// Name identifies the loss in saved options and on command lines.
	Name() string
	Build(g *tensor.Graph, in Tokens) Terms
	// Average is how the losses of tokens become one number.
	Average() Average
}

// Traits are what a loss declares about itself. The zero value declares nothing.
type Traits struct {
	// Known says that where π = π_old the loss of a token, or of a row, is −AtOld·A.
	Known bool
	AtOld float64
	// Slope, where it is not 0, says that the gradient there is −Slope·A for each log π
	// of a row, divided by what Average says.
	Slope float64
	// StopsGradient losses hold part of themselves constant, so that their gradients
	// are not the derivatives of their values.
	StopsGradient bool
	// OwnWeight losses use Tokens.Weight and RowWeight themselves.
	OwnWeight bool
	// WholeGroups losses let rows of a group influence each other and need
	// Tokens.GroupEnds and Group.
	WholeGroups bool
}

// Described is a Loss that declares its traits. The trainer checks them in the
// first step.
type Described interface {
	Loss
	Traits() Traits
}

// TraitsOf are those that l declares.
func TraitsOf(l Loss) Traits {
	if d, ok := l.(Described); ok {
		return d.Traits()
	}
	return Traits{}
}

// validator is a loss that can tell that its hyperparameters make no sense.
type validator interface{ Validate() error }

// checkLoss reports faulty hyperparameters of l.
func checkLoss(l Loss) error {
	if v, ok := l.(validator); ok {
		return v.Validate()
	}
	return nil
}

// requireLoss stops graph building on faulty hyperparameters.
func requireLoss(l Loss) {
	if err := checkLoss(l); err != nil {
		tensor.Fail("%v", err)
	}
}

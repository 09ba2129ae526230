package sft

import "github.com/posttrain/posttrain/tensor"

// Tokens is what a loss sees: statistics of the M targets of a micro-batch and,
// for losses that need more, the hidden states they were made from.
type Tokens struct {
	tensor.LogProbs              // each (M), in nats
	Hidden          *tensor.Node // (N,D) after the final norm
	Rows            *tensor.Node // (M) int32: the row of Hidden that predicts each target
	Targets         *tensor.Node // (M) int32: the id to predict
	Vocab           int          // V
}

// Loss says what is minimised. Build returns the loss of each target, (M), in
// nats; the trainer multiplies it by the target's weight, sums over all
// micro-batches of an optimizer step and divides once by the sum of the weights.
// Build may use Gorgonia's own ops and stops graph building on misuse.
type Loss interface {
	// Name identifies the loss in saved options.
	Name() string
	Build(in Tokens) *tensor.Node
}

// NLL is the negative log-likelihood −log p(target), with label smoothing ε:
//
//	(1−ε)·(−log p(target)) + ε/V · Σ_v −log p(v)
//
// Szegedy et al. 2016, arXiv:1512.00567, §7, with a uniform prior over all V
// entries, as in the Hugging Face Trainer.
type NLL struct {
	LabelSmoothing float64 // ε in [0,1); 0 is off
}

// Name is "nll".
func (NLL) Name() string { return "nll" }

// Build implements Loss.
func (l NLL) Build(in Tokens) *tensor.Node {
	eps := l.LabelSmoothing
	if !(eps >= 0 && eps < 1) {
		tensor.Fail("sft: LabelSmoothing is %g, want a number in [0, 1)", eps)
	}
	if eps == 0 {
		return tensor.Neg(in.LogProb)
	}
	return tensor.Add(tensor.Scale(in.LogProb, eps-1), tensor.Scale(in.SumLogProb, -eps/float64(in.Vocab)))
}

// DFT is dynamic fine-tuning: −sg(p)·log p(target), the log-likelihood weighted
// by the model's own probability, through which no gradient passes.
//
// Wu et al. 2025, "On the Generalization of SFT: A Reinforcement Learning
// Perspective with Reward Rectification", arXiv:2508.05629, eq. 9.
type DFT struct{}

// Name is "dft".
func (DFT) Name() string { return "dft" }

// Build implements Loss.
func (DFT) Build(in Tokens) *tensor.Node {
	p := tensor.Detach(tensor.Exp(in.LogProb))
	return tensor.Neg(tensor.Mul(p, in.LogProb))
}

// LossFunc makes a Loss of a function; its name is "custom".
type LossFunc func(in Tokens) *tensor.Node

// Name is "custom".
func (LossFunc) Name() string { return "custom" }

// Build calls f.
func (f LossFunc) Build(in Tokens) *tensor.Node { return f(in) }

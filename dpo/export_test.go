package dpo

import "github.com/posttrain/posttrain/tensor"

// TokenNodes are the nodes that per-token fixtures fill.
type TokenNodes struct {
	LogProb, Reference, LogSumSquares, Tail            *tensor.Node
	Ends, Chosen, Rejected                             *tensor.Node
	ChosenTokens, RejectedTokens, MeanChosenTokensNode *tensor.Node
	Prompt, PromptEnds, MeanText                       *tensor.Node
}

// LogProbs sums them as the trainer does.
func (t TokenNodes) LogProbs(beta float64, d Divergence) LogProbs {
	return tokens{
		logProb: t.LogProb, reference: t.Reference, logSumSquares: t.LogSumSquares, tail: t.Tail, ends: t.Ends, chosen: t.Chosen, rejected: t.Rejected,
		chosenTokens: t.ChosenTokens, rejectedTokens: t.RejectedTokens, meanChosen: t.MeanChosenTokensNode,
		prompt: t.Prompt, promptEnds: t.PromptEnds, meanText: t.MeanText,
	}.logProbs(beta, d)
}

// TailWeights are the weights that the trainer gives tokens, M of them.
func TailWeights(ends, chosen, rejected []int32, alpha float64) []float64 {
	return appendTail(nil, ends, chosen, rejected, alpha)
}

// SaveWeights and LoadWeights are the stage's, for tests of its files.
func (t *Trainer) SaveWeights(dir string) error { return t.stage.SaveWeights(dir) }

// LoadWeights is the stage's.
func (t *Trainer) LoadWeights(dir string) error { return t.stage.LoadWeights(dir) }

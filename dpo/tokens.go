package dpo

import "github.com/posttrain/posttrain/tensor"

// tokens are the nodes from which the log-probabilities of pairs are summed: M
// tokens of answers in S segments, of which B pairs name two each.
type tokens struct {
	logProb, reference *tensor.Node // (M) log π and log π₀ of each token; no reference: nil
	logSumSquares      *tensor.Node // (M) log Σ_v π(v)²
	tail               *tensor.Node // (M) 1, or α for tokens past the shorter answer
	ends               *tensor.Node // (S) int32: exclusive end of each segment's tokens
	chosen, rejected   *tensor.Node // (B) int32: the segments of a pair

	chosenTokens, rejectedTokens *tensor.Node // (B), at least 1
	meanChosen                   *tensor.Node // (1)

	prompt, promptEnds *tensor.Node // tokens of the prompts and their ends (B), or nil
	meanText           *tensor.Node // (1)
}

// logProbs adds the tokens of each answer up.
func (t tokens) logProbs(beta float64, d Divergence) LogProbs {
	both := func(perSegment *tensor.Node) (c, r *tensor.Node) {
		return tensor.Gather(perSegment, t.chosen), tensor.Gather(perSegment, t.rejected)
	}
	in := LogProbs{
		Beta: beta, Divergence: d,
		ChosenTokens: t.chosenTokens, RejectedTokens: t.rejectedTokens, MeanChosenTokens: t.meanChosen,
		ChosenLikelihood: tensor.Gather(tensor.SegmentSum(t.logProb, t.ends), t.chosen),
	}
	in.Chosen, in.Rejected = both(tensor.WeightedSegmentSum(t.logProb, t.tail, t.ends))
	if t.reference != nil {
		in.RefChosen, in.RefRejected = both(tensor.WeightedSegmentSum(t.reference, t.tail, t.ends))
		in.ChosenRatio, in.RejectedRatio = both(tensor.WeightedSegmentSum(tensor.Sub(t.logProb, t.reference), t.tail, t.ends))
	}
	if t.prompt != nil {
		in.PromptLikelihood, in.MeanTextTokens = tensor.SegmentSum(t.prompt, t.promptEnds), t.meanText
	}
	c, r := both(tensor.SegmentSum(tensor.Sub(tensor.Detach(t.logProb), t.logSumSquares), t.ends))
	in.Confidence = tensor.Detach(tensor.Exp(tensor.Add(tensor.Div(c, t.chosenTokens), tensor.Div(r, t.rejectedTokens))))
	return in
}

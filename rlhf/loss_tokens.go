package rlhf

import "github.com/posttrain/posttrain/tensor"

// Level says whose probabilities a ratio π/π_old compares.
type Level uint8

// The levels.
const (
	// TokenLevel ratios are those of each token.
	TokenLevel Level = iota
	// SequenceLevel ratios are those of whole rows, to the power of one over their
	// length: exp of the mean log-ratio (GSPO).
	SequenceLevel
	// SequenceTokenLevel ratios have the value of the row's and the gradient of the
	// token's (GSPO-token).
	SequenceTokenLevel
)

// OldLogProb is Old, or LogProb itself, without gradient, where the policy has not
// moved.
func (in Tokens) OldLogProb() *tensor.Node {
	if in.Old == nil {
		return tensor.Detach(in.LogProb)
	}
	return in.Old
}

// LogRatio is log π/π_old of each token, 0 at tokens of Mask 0.
func (in Tokens) LogRatio() *tensor.Node {
	return tensor.Mul(tensor.Sub(in.LogProb, in.OldLogProb()), in.Mask)
}

// Ratio is π/π_old at a level, (M); a row's stands at each of its tokens.
func (in Tokens) Ratio(l Level) *tensor.Node {
	log := in.LogRatio()
	switch l {
	case SequenceLevel:
		return in.Spread(tensor.Exp(in.RowMean(log)))
	case SequenceTokenLevel:
		row := in.Spread(tensor.Detach(in.RowMean(log)))
		return tensor.Exp(tensor.Add(row, tensor.Sub(log, tensor.Detach(log))))
	}
	return tensor.Exp(log)
}

// Spread puts a number of each row, (R), at each of its tokens, (M).
func (in Tokens) Spread(row *tensor.Node) *tensor.Node { return tensor.Gather(row, in.Row) }

// RowSum adds the tokens of Mask 1 of each row up, (M) to (R).
func (in Tokens) RowSum(x *tensor.Node) *tensor.Node {
	return tensor.WeightedSegmentSum(x, in.Mask, in.Ends)
}

// RowMean is the mean over the tokens of Mask 1 of each row, (M) to (R); 0 where
// there are none.
func (in Tokens) RowMean(x *tensor.Node) *tensor.Node { return tensor.Div(in.RowSum(x), in.Lengths) }

// rowAdvantage is RowAdvantage, or the mean of Advantage over each row, (R).
func (in Tokens) rowAdvantage() *tensor.Node {
	if in.RowAdvantage != nil {
		return in.RowAdvantage
	}
	return in.RowMean(in.Advantage)
}

// kept is Keep, or Mask.
func (in Tokens) kept() *tensor.Node {
	if in.Keep == nil {
		return in.Mask
	}
	return in.Keep
}

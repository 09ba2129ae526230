package rlhf

import (
	"fmt"

	"github.com/posttrain/posttrain/tensor"
)

// Unit is what is counted.
type Unit uint8

// The units.
const (
	OverTokens Unit = iota // tokens of Mask 1
	OverRows               // rows, those without such tokens included
)

// Over says how the losses of tokens become one number.
type Over uint8

// The ways to average, with what other libraries call them.
const (
	// MeanOfTokens is Σ/tokens: every token weighs the same (DAPO, BNPO, PPO;
	// token-mean in verl).
	MeanOfTokens Over = iota
	// MeanOfRows is the mean over rows of each row's mean: every row weighs the same
	// (GRPO; seq-mean-token-mean).
	MeanOfRows
	// SumOfRows is the mean over rows of each row's sum (LUSPO; seq-mean-token-sum).
	SumOfRows
	// FixedLength is the mean over rows of each row's sum divided by a length that is
	// the same for all (Dr. GRPO; seq-mean-token-sum-norm).
	FixedLength
	// MeanOfGroups is the mean over groups of rows of each group's token mean, where
	// groups are of one size; else each group weighs as many rows as it has.
	MeanOfGroups
)

// Average is a way to average with its length.
type Average struct {
	Over   Over
	Length float64 // tokens, only for FixedLength
}

// Denominator is what the sum of the losses of all rows of an optimizer step is
// divided by, once.
func (a Average) Denominator() Unit {
	if a.Over == MeanOfTokens {
		return OverTokens
	}
	return OverRows
}

// EntropyScale is what the coefficient of an entropy bonus is multiplied by for it
// to be a mean over the tokens of an optimizer step of that many rows and tokens
// of Mask 1.
func (a Average) EntropyScale(rows, tokens float64) float64 {
	if a.Denominator() == OverTokens || tokens == 0 {
		return 1
	}
	return rows / tokens
}

// Validate reports a way that is not there and a missing length.
func (a Average) Validate() error {
	if a.Over > MeanOfGroups {
		return fmt.Errorf("rlhf: Average: Over is %d, want at most %d", a.Over, MeanOfGroups)
	}
	if a.Over == FixedLength && !(a.Length > 0) {
		return fmt.Errorf("rlhf: Average: Length is %g, want more than 0 tokens for FixedLength", a.Length)
	}
	return nil
}

// rows adds losses of tokens up to those of rows.
func (a Average) rows(in Tokens, token *tensor.Node) *tensor.Node {
	if err := a.Validate(); err != nil {
		tensor.Fail("%v", err)
	}
	sum := in.RowSum(token)
	switch a.Over {
	case MeanOfRows:
		return tensor.Div(sum, in.Lengths)
	case FixedLength:
		return tensor.Scale(sum, 1/a.Length)
	case MeanOfGroups:
		if in.GroupLengths == nil {
			tensor.Fail("rlhf: MeanOfGroups: Tokens.GroupLengths is nil")
		}
		return tensor.Div(sum, in.GroupLengths)
	}
	return sum
}

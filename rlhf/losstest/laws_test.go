package losstest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/losstest"
	"github.com/posttrain/posttrain/tensor"
)

func TestEveryLossKeepsTheLaws(t *testing.T) {
	all := append(rlhf.Losses(),
		rlhf.GRPO{Clip: rlhf.Clip{Dual: 3}}, rlhf.PPO{Clip: rlhf.Clip{Low: 0.1, High: 0.4, Cap: 2}}, rlhf.GRPO{Level: rlhf.SequenceLevel},
		rlhf.DAPO{Groups: true}, rlhf.LUSPO{TokenRatios: true}, rlhf.CISPO{Min: 0.5, Max: 1.5, Level: rlhf.SequenceLevel},
		rlhf.SAPO{Up: 2, Down: 3, Level: rlhf.SequenceLevel}, rlhf.MRT{Alpha: 1}, rlhf.REINFORCE{Averaged: &rlhf.Average{Over: rlhf.MeanOfRows}},
	)
	for _, l := range all {
		t.Run(l.Name(), func(t *testing.T) { losstest.Run(t, l) })
	}
}

// faulty is a loss made of a function, with traits that may be wrong.
type faulty struct {
	traits rlhf.Traits
	over   rlhf.Average
	build  func(in rlhf.Tokens) rlhf.Terms
}

func (faulty) Name() string                                       { return "faulty" }
func (l faulty) Average() rlhf.Average                            { return l.over }
func (l faulty) Traits() rlhf.Traits                              { return l.traits }
func (l faulty) Build(_ *tensor.Graph, in rlhf.Tokens) rlhf.Terms { return l.build(in) }

// Losses with a mistake each, and the law that finds it.
func TestWrongLossesAreCaught(t *testing.T) {
	score := func(in rlhf.Tokens) *tensor.Node { return tensor.Neg(tensor.Mul(in.Advantage, in.LogProb)) }
	surrogate := func(w *tensor.Node, in rlhf.Tokens) rlhf.Terms {
		return rlhf.Terms{Token: tensor.Neg(tensor.Mul(w, in.Advantage))}
	}
	for name, c := range map[string]struct {
		loss faulty
		law  string
	}{
		"the sign is wrong": {faulty{build: func(in rlhf.Tokens) rlhf.Terms { return rlhf.Terms{Token: tensor.Neg(score(in))} }}, "what had an advantage becomes likelier"},
		"an undeclared stop of the gradient": {faulty{build: func(in rlhf.Tokens) rlhf.Terms {
			return rlhf.Terms{Token: tensor.Mul(tensor.Detach(in.Ratio(rlhf.TokenLevel)), score(in))}
		}}, "gradients are those of differences"},
		"sums over masked tokens": {faulty{over: rlhf.Average{Over: rlhf.MeanOfRows}, build: func(in rlhf.Tokens) rlhf.Terms {
			return rlhf.Terms{Row: tensor.SegmentSum(score(in), in.Ends)}
		}}, "masked tokens do not count"},
		"advantages normalised in the micro-batch": {faulty{build: func(in rlhf.Tokens) rlhf.Terms {
			mean := tensor.WeightedMean(in.Advantage, in.Mask)
			centred := tensor.Sub(in.Advantage, tensor.BroadcastRows(mean, in.Advantage))
			return rlhf.Terms{Token: tensor.Neg(tensor.Mul(centred, in.LogProb))}
		}}, "neighbours do not matter"},
		"the unclipped ratio squared": {faulty{build: func(in rlhf.Tokens) rlhf.Terms {
			w := in.Ratio(rlhf.TokenLevel)
			return surrogate(tensor.Square(w), in)
		}, traits: rlhf.Traits{Known: true, AtOld: 1, Slope: 1}}, "the slope on the sampling policy is the declared one"},
		"CISPO with TRL's default": {faulty{build: func(in rlhf.Tokens) rlhf.Terms {
			return rlhf.CISPO{Max: 0.2}.Build(nil, in)
		}, traits: rlhf.Traits{StopsGradient: true, Slope: 1}}, "the slope on the sampling policy is the declared one"},
		"a penalty of its own": {faulty{build: func(in rlhf.Tokens) rlhf.Terms {
			return rlhf.Terms{Token: tensor.Add(score(in), tensor.Square(in.LogRatio()))}
		}}, "without advantage there is no gradient"},
		"a ratio of e^50 squared": {faulty{build: func(in rlhf.Tokens) rlhf.Terms {
			w := in.Ratio(rlhf.TokenLevel)
			return surrogate(tensor.Square(tensor.Square(w)), in)
		}}, "extremes are finite"},
		"a value that is not the declared one": {faulty{build: func(in rlhf.Tokens) rlhf.Terms {
			return surrogate(tensor.Sigmoid(in.Ratio(rlhf.TokenLevel)), in)
		}, traits: rlhf.Traits{Known: true, AtOld: 1}}, "the value on the sampling policy is the declared one"},
		"the weights are not used": {faulty{build: func(in rlhf.Tokens) rlhf.Terms { return rlhf.Terms{Token: score(in)} }, traits: rlhf.Traits{OwnWeight: true}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := losstest.Check(c.loss)
			if c.law == "" {
				require.NoError(t, err, "what a loss declares is taken from it")
				return
			}
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.law)
		})
	}
}

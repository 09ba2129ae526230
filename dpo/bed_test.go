package dpo_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/internal/bed"
	"github.com/posttrain/posttrain/tensor"
)

// corner is a policy over three answers, the chosen, the rejected and any other,
// whose logits are features times two weights. The chosen and the rejected answer
// share their first feature, as texts share tokens, so that what makes the rejected
// one unlikely makes the chosen one unlikely too.
func corner(t *testing.T, l dpo.Loss, beta float64, steps int) (policy [3]float64, gradient []float64) {
	t.Helper()
	logProb, gradient, err := bed.Problem{
		Weights: []float64{0.3, 0.3},
		Floats:  map[string][]float64{"features": {1, 0.5, 2, 0, 0, 0}, "one": {1}},
		Ints:    map[string][]int32{"weights": {0, 1, 0, 1, 0, 1}, "ends": {2, 4, 6}, "chosen": {0}, "rejected": {1}},
		Build: func(in map[string]*tensor.Node, w *tensor.Node) (loss, watch *tensor.Node) {
			x := tensor.SegmentSum(tensor.Mul(tensor.Gather(w, in["weights"]), in["features"]), in["ends"])
			logProb := tensor.Sub(x, tensor.BroadcastRows(tensor.Log(tensor.Sum(tensor.Exp(x))), x))
			c, r := tensor.Gather(logProb, in["chosen"]), tensor.Gather(logProb, in["rejected"])
			terms := l.Build(nil, dpo.LogProbs{
				Chosen: c, Rejected: r, ChosenTokens: in["one"], RejectedTokens: in["one"], ChosenLikelihood: c, MeanChosenTokens: in["one"],
				PromptLikelihood: tensor.Scale(in["one"], 0), MeanTextTokens: in["one"], Beta: beta, Divergence: dpo.ReverseKL{},
			})
			return tensor.Sum(terms.Loss), logProb
		},
		Rate: 0.5, Steps: steps,
	}.Minimise()
	require.NoError(t, err)
	for i := range policy {
		policy[i] = math.Exp(logProb[i])
	}
	return policy, gradient
}

// The survey prints ORPO as the log-sigmoid of log π(y⁺)/π(y⁻), without the
// supervised term, and calls that a ratio of odds (erratum E2). Minimised as
// printed both answers vanish; the right formula makes the chosen one likely, more
// so with a larger λ (card P7).
func TestThePrintedORPOLosesTheChosenAnswer(t *testing.T) {
	printed := dpo.LossFunc(func(_ *tensor.Graph, in dpo.LogProbs) dpo.Terms {
		return dpo.Terms{Loss: tensor.Neg(tensor.LogSigmoid(tensor.Sub(in.Chosen, in.Rejected)))}
	})
	start, _ := corner(t, printed, 0.1, 0)
	wrong, _ := corner(t, printed, 0.1, 2000)
	assert.Less(t, wrong[0], start[0]/10, "the chosen answer collapses")
	assert.Greater(t, wrong[2], 0.9, "an answer that nobody wrote takes its place")
	const steps = 200 // with more, either λ ends near 1 on a bed without noise
	weak, _ := corner(t, dpo.ORPO{}, 0.1, steps)
	strong, _ := corner(t, dpo.ORPO{}, 1, steps)
	assert.Greater(t, weak[0], 2*start[0])
	assert.Greater(t, strong[0], weak[0])
}

// With λ = 0 ORPO is supervised learning of the chosen texts (card P7).
func TestORPOWithoutPreferenceIsSupervised(t *testing.T) {
	got, a := corner(t, dpo.ORPO{}, 0, 30)
	want, b := corner(t, dpo.NLL{}, 0, 30)
	assert.Equal(t, want, got)
	assert.Equal(t, b, a)
}

// Odds are those of the geometric mean of token probabilities: answers of unequal
// length and equal mean are as likely (erratum E2), while their plain ratio is not
// one.
func TestOddsAreLengthNormalised(t *testing.T) {
	odds, _, err := bed.Problem{
		Weights: []float64{-1, -4}, Floats: map[string][]float64{"tokens": {1}, "four": {4}}, Ints: map[string][]int32{"first": {0}, "second": {1}},
		Build: func(in map[string]*tensor.Node, w *tensor.Node) (loss, watch *tensor.Node) {
			c, r := tensor.Gather(w, in["first"]), tensor.Gather(w, in["second"])
			terms := dpo.ORPO{}.Build(nil, dpo.LogProbs{Chosen: c, Rejected: r, ChosenTokens: in["tokens"], RejectedTokens: in["four"],
				ChosenLikelihood: c, PromptLikelihood: c, MeanTextTokens: in["tokens"], Beta: 0.1})
			return tensor.Sum(terms.Loss), terms.Metrics[2].Value
		},
	}.Minimise()
	require.NoError(t, err)
	assert.Equal(t, []float64{0}, odds)
}

// A pair's gradient weighs σ(−margin): the worse it is in order, the more it counts
// (card P6).
func TestDPOWeighsByHowWrongAPairIs(t *testing.T) {
	const beta = 0.4
	for _, margin := range []float64{-3, 0, 5} {
		_, grad, err := bed.Problem{
			Weights: []float64{-9 + margin/beta, -9}, Floats: map[string][]float64{"ref": {-9}}, Ints: map[string][]int32{"first": {0}, "second": {1}},
			Build: func(in map[string]*tensor.Node, w *tensor.Node) (loss, watch *tensor.Node) {
				c, r := tensor.Gather(w, in["first"]), tensor.Gather(w, in["second"])
				terms := dpo.Sigmoid{}.Build(nil, dpo.LogProbs{ChosenRatio: tensor.Sub(c, in["ref"]), RejectedRatio: tensor.Sub(r, in["ref"]), Beta: beta, Divergence: dpo.ReverseKL{}})
				return tensor.Sum(terms.Loss), terms.Loss
			},
		}.Minimise()
		require.NoError(t, err)
		want := beta / (1 + math.Exp(margin))
		assert.InDelta(t, -want, grad[0], 1e-12)
		assert.InDelta(t, want, grad[1], 1e-12)
	}
}

// Losses without a reference put answers in the order of their rewards, wherever
// the policy began.
func TestReferenceFreeLossesLearnTheOrder(t *testing.T) {
	b := newTable(6)
	for _, l := range []dpo.Loss{dpo.SimPO{}, dpo.AlphaPO{}, dpo.CPO{NLLWeight: new(0.0)}, dpo.CPOHinge{NLLWeight: new(0.0)}, dpo.CPOIPO{NLLWeight: new(0.0)}} {
		got := b.train(t, l, 1, 0.5, 800)
		for i := range got {
			for j := range got {
				if b.reward[i] > b.reward[j]+0.1 {
					assert.Greater(t, got[i], got[j], "%s: answers %d and %d", l.Name(), i, j)
				}
			}
		}
	}
}

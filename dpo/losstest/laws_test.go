package losstest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/losstest"
	"github.com/posttrain/posttrain/tensor"
)

func TestEveryLossKeepsTheLaws(t *testing.T) {
	all := append(dpo.Losses(),
		dpo.Sum{{Loss: dpo.Sigmoid{}, Weight: 0.8}, {Loss: dpo.BCOPair{}, Weight: 0.2}, {Loss: dpo.NLL{}, Weight: 1}},
		dpo.WPO{Of: dpo.Sigmoid{}},
		dpo.WPO{Of: dpo.Sum{{Loss: dpo.Hinge{}, Weight: 0.5}, {Loss: dpo.WPO{Of: dpo.IPO{}}, Weight: 0.5}}},
		dpo.Robust{LabelSmoothing: 0.2}, dpo.AOT{LabelSmoothing: 0.1}, dpo.DiscoPOP{Temperature: 0.5},
	)
	for _, l := range all {
		t.Run(l.Name(), func(t *testing.T) { losstest.Run(t, l) })
	}
}

// A loss of one's own is checked like any other.
func TestALossOfOnesOwnIsChecked(t *testing.T) {
	losstest.Run(t, dpo.LossFunc(func(_ *tensor.Graph, in dpo.LogProbs) dpo.Terms {
		return dpo.Terms{Loss: tensor.Neg(tensor.Tanh(in.Margin()))}
	}))
}

// faulty is a loss made of a function, with traits that may be wrong.
type faulty struct {
	name   string
	traits dpo.Traits
	build  func(in dpo.LogProbs) *tensor.Node
}

func (l faulty) Name() string { return l.name }

func (l faulty) Traits(float64) dpo.Traits { return l.traits }

func (l faulty) Build(_ *tensor.Graph, in dpo.LogProbs) dpo.Terms {
	return dpo.Terms{Loss: l.build(in)}
}

// Each law catches the mistake it is there for, and only where there is one.
func TestWrongLossesAreCaught(t *testing.T) {
	z := func(in dpo.LogProbs) *tensor.Node { return in.Margin() }
	sigmoid := func(in dpo.LogProbs) *tensor.Node { return tensor.Softplus(tensor.Neg(z(in))) }
	for _, c := range []struct {
		law string
		faulty
	}{
		{"has a name", faulty{build: sigmoid}},
		{"gradients are those of differences", faulty{name: "detached", build: func(in dpo.LogProbs) *tensor.Node {
			return tensor.Sub(sigmoid(in), tensor.Scale(tensor.Detach(in.Chosen), 0.1))
		}}},
		{"extremes are finite", faulty{name: "plain logarithm", build: func(in dpo.LogProbs) *tensor.Node {
			return tensor.Neg(tensor.Log(tensor.Sigmoid(z(in))))
		}}},
		{"extremes are finite", faulty{name: "unbounded squares", build: func(in dpo.LogProbs) *tensor.Node { // IPO before it was mended
			return tensor.Square(tensor.AddScalar(z(in), -1))
		}}},
		{"empty slots do not count", faulty{name: "capacity", build: func(in dpo.LogProbs) *tensor.Node {
			return tensor.Scale(sigmoid(in), float64(in.Chosen.Shape()[0]))
		}}},
		{"neighbours do not matter", faulty{name: "centred", build: func(in dpo.LogProbs) *tensor.Node {
			return tensor.Softplus(tensor.Sub(tensor.BroadcastRows(tensor.Scale(tensor.Sum(z(in)), 0.1), z(in)), z(in)))
		}}},
		{"reference-free losses ignore the reference", faulty{name: "free", traits: dpo.Traits{ReferenceFree: true}, build: sigmoid}},
		{"the value at the reference is the declared one", faulty{name: "liar", traits: dpo.Traits{Known: true, AtReference: 1}, build: sigmoid}},
		{"a wider margin is better", faulty{name: "the survey's DPO", build: func(in dpo.LogProbs) *tensor.Node { // erratum E1
			return tensor.Sigmoid(z(in))
		}}},
	} {
		err := losstest.Check(c.faulty)
		require.ErrorIs(t, err, losstest.ErrLaw, c.law)
		assert.ErrorContains(t, err, c.law, c.name)
	}
	require.NoError(t, losstest.Check(faulty{name: "right", build: sigmoid}))
	err := losstest.Check(faulty{name: "scalar", build: func(in dpo.LogProbs) *tensor.Node { return tensor.Sum(sigmoid(in)) }})
	require.ErrorContains(t, err, "want one number a pair")
	err = losstest.Check(faulty{name: "weighted", build: func(in dpo.LogProbs) *tensor.Node {
		return tensor.Mul(sigmoid(in), tensor.Detach(in.Confidence))
	}})
	require.NoError(t, err, "a weight that goes with the pair is no fault")
}

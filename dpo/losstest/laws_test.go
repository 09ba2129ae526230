package losstest_test

import (
	"testing"

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

package losstest_test

import (
	"testing"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/losstest"
	"github.com/posttrain/posttrain/tensor"
)

// square is a loss of one's own: the margin is to be 1.
type square struct{}

func (square) Name() string { return "square" }

func (square) Build(_ *tensor.Graph, in dpo.LogProbs) dpo.Terms {
	return dpo.Terms{Loss: tensor.Square(tensor.AddScalar(in.Margin(), -1))}
}

func (square) Traits(float64) dpo.Traits { return dpo.Traits{Known: true, AtReference: 1} }

// A test of one's own loss is one line.
func ExampleRun() {
	test := func(t *testing.T) { losstest.Run(t, square{}) }
	_ = test // go test runs it
	// Output:
}

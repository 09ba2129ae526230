package losstest_test

import (
	"fmt"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/losstest"
	"github.com/posttrain/posttrain/tensor"
)

// smooth is a loss of one's own: the hyperbolic tangent of the log-ratio.
type smooth struct{}

func (smooth) Name() string { return "smooth" }

func (smooth) Average() rlhf.Average { return rlhf.Average{} }

func (smooth) Build(_ *tensor.Graph, in rlhf.Tokens) rlhf.Terms {
	return rlhf.Terms{Token: tensor.Neg(tensor.Mul(tensor.Tanh(in.LogRatio()), in.Advantage))}
}

func (smooth) Traits() rlhf.Traits { return rlhf.Traits{Known: true, AtOld: 0, Slope: 1} }

func ExampleCheck() {
	fmt.Println(losstest.Check(smooth{}))
	// Output: <nil>
}

package gradcheck_test

import (
	"fmt"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gradcheck"
)

// A loss of one's own, the focal loss (1−p)²·(−log p) of a token's
// log-probability, is checked before it is trained with.
func ExampleCheck() {
	focal := gradcheck.Function{
		Inputs: []gradcheck.Input{{Name: "logp", Data: []float64{-0.1, -0.7, -2.5}}},
		Build: func(_ *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
			logp := in["logp"]
			miss := tensor.AddScalar(tensor.Neg(tensor.Exp(logp)), 1)
			return tensor.Nodes{tensor.Mul(tensor.Square(miss), tensor.Neg(logp))}
		},
	}
	result, err := gradcheck.Check(focal, gradcheck.Options{})
	fmt.Println(result.Checked, "elements:", err)
	// Output: 3 elements: <nil>
}

package pass

import "github.com/posttrain/posttrain/tensor"

// Accumulate adds the reverse pass: seed·∂loss/∂p goes to the accumulator of each
// parameter. It stops graph building when the loss does not depend on one.
func Accumulate(g *tensor.Graph, loss, seed *tensor.Node, params []*tensor.Param) []tensor.Accumulation {
	if len(params) == 0 {
		return nil
	}
	wrt := make(tensor.Nodes, len(params))
	for i, p := range params {
		wrt[i] = p.Node(g)
	}
	var acc []tensor.Accumulation
	for i, parts := range tensor.Gradients(tensor.Nodes{loss}, tensor.Nodes{seed}, wrt) {
		if len(parts) == 0 {
			tensor.Fail("dpo: the loss does not depend on parameter %s", params[i].Name())
		}
		for _, part := range parts {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: params[i]})
		}
	}
	return acc
}

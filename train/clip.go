package train

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor"
)

// clipEps is added to the norm by torch.nn.utils.clip_grad_norm_. It matters
// for tiny gradients.
const clipEps = 1e-6

// GradNorm returns the p-norm of all gradients together, as if they were one
// vector: p ≥ 1, or +Inf for the largest magnitude. It is NaN when an entry is.
// The order of summation is fixed, so the result does not depend on workers.
func GradNorm(params []Parameter, p float64) float64 {
	switch {
	case p == 2:
		return newNorm(params).value(nil)
	case math.IsInf(p, 1):
		return foldGrads(params, 0, func(norm, g float64) float64 { return max(norm, math.Abs(g)) })
	}
	sum := foldGrads(params, 0, func(sum, g float64) float64 { return sum + math.Pow(math.Abs(g), p) })
	return math.Pow(sum, 1/p)
}

// ClipFactor is what gradients of the given norm are multiplied by so that
// their norm stays within limit: min(1, limit/(norm + 1e-6)), PyTorch's formula
// (Pascanu et al. 2013, arXiv:1211.5063). It is NaN for a NaN norm.
func ClipFactor(norm, limit float64) float64 {
	return min(1, limit/(norm+clipEps))
}

// ScaleGrads multiplies all gradients by factor.
func ScaleGrads(params []Parameter, factor float64) {
	mapGrads(params, func(g float64) float64 { return g * factor })
}

// ClipGradValues clamps every gradient entry to [-limit, limit]; NaN stays.
func ClipGradValues(params []Parameter, limit float64) {
	mapGrads(params, func(g float64) float64 { return max(-limit, min(limit, g)) })
}

// ZeroGrads clears all gradients.
func ZeroGrads(params []Parameter) {
	for _, p := range params {
		_, grad, _, grad64 := storage(p)
		clear(grad)
		clear(grad64)
	}
}

func foldGrads(params []Parameter, start float64, f func(acc, g float64) float64) float64 {
	for _, p := range params {
		_, grad, _, grad64 := storage(p)
		for _, g := range grad {
			start = f(start, float64(g))
		}
		for _, g := range grad64 {
			start = f(start, g)
		}
	}
	return start
}

func mapGrads(params []Parameter, f func(g float64) float64) {
	for _, p := range params {
		_, grad, _, grad64 := storage(p)
		for i, g := range grad {
			grad[i] = float32(f(float64(g)))
		}
		for i, g := range grad64 {
			grad64[i] = f(g)
		}
	}
}

// norm computes the Euclidean norm of gradients in chunks whose sums are kept
// apart and added in order: the same bits with any number of workers.
type norm struct {
	params []Parameter
	chunks []span
	sums   []float64
}

func newNorm(params []Parameter) *norm {
	n := &norm{params: params}
	for i, p := range params {
		_, grad, _, grad64 := storage(p)
		n.chunks = appendSpans(n.chunks, i, len(grad)+len(grad64))
	}
	n.sums = make([]float64, len(n.chunks))
	return n
}

// Do implements kernel.Task: it adds the squares of one chunk.
func (n *norm) Do(chunk, _ int) {
	c := n.chunks[chunk]
	_, grad, _, grad64 := storage(n.params[c.slot])
	if grad != nil {
		n.sums[chunk] = kernel.SumSquares(grad[c.lo:c.hi])
	} else {
		n.sums[chunk] = kernel.SumSquares(grad64[c.lo:c.hi])
	}
}

func (n *norm) value(device *tensor.Device) float64 {
	runChunks(device, n, len(n.chunks))
	var total float64
	for _, s := range n.sums {
		total += s
	}
	return math.Sqrt(total)
}

// culprit names the first parameter with a gradient that is not finite, "" if
// there is none.
func (n *norm) culprit() string {
	for i, c := range n.chunks {
		if s := n.sums[i]; math.IsNaN(s) || math.IsInf(s, 0) {
			return n.params[c.slot].Name()
		}
	}
	return ""
}

package oreo

import (
	"fmt"

	"github.com/posttrain/posttrain/tensor"
)

// Actions is what the objective sees: A actions of S trajectories, those of one
// trajectory one after another.
type Actions struct {
	LogRatio *tensor.Node // (A) log π(a_t|s_t)/π₀(a_t|s_t); gradients reach the policy
	Value    *tensor.Node // (A) V(s_t), of the state before the action; gradients reach the value head
	Return   *tensor.Node // (A) R_t, the reward that is still to come; no gradient
	Ends     *tensor.Node // (S) int32: exclusive end of each trajectory
}

// Losses are the squared residuals of each action, (A):
//
//	value   (V(s_t) − R_t + β·sg[Σ_{i≥t} log π/π₀(a_i|s_i)])²
//	policy  (sg[V(s_t)] − R_t + β·log π/π₀(a_t|s_t) + β·sg[Σ_{i>t} log π/π₀(a_i|s_i)])²
//
// with sg for what no gradient passes. Both are the same number; they differ in
// what they teach. Both vanish at the optimum of KL-regularised reward, where V is
// the soft value and π ∝ π₀·exp((V(s′) − V(s))/β).
//
// Wang et al. 2024, arXiv:2412.16145, eqs. 8 and 9. (The survey prints the policy's
// loss without the sum over later actions, whose optimum is another policy.)
func (a Actions) Losses(beta float64) (policy, value *tensor.Node) {
	if a.LogRatio == nil || a.Value == nil || a.Return == nil || a.Ends == nil {
		tensor.Fail("oreo: Actions: got a nil node, want all of them")
	}
	own, worth := tensor.Detach(a.LogRatio), tensor.Detach(a.Value)
	rest := suffixSum(own, a.Ends)
	later := tensor.Sub(rest, own)
	value = tensor.Add(tensor.Sub(a.Value, a.Return), tensor.Scale(rest, beta))
	policy = tensor.Add(tensor.Sub(worth, a.Return), tensor.Scale(tensor.Add(a.LogRatio, later), beta))
	return tensor.Square(policy), tensor.Square(value)
}

// suffixSum is, for each element of x (A), its sum with all after it in its
// segment; ends (S) holds the exclusive ends. It has no gradient.
func suffixSum(x, ends *tensor.Node) *tensor.Node {
	return tensor.Apply(tensor.Spec{
		Name:           "suffix_sum",
		Out:            []tensor.Output{{Shape: x.Shape().Clone(), Dtype: x.Dtype(), Axis: 1}},
		Differentiable: []bool{false, false},
		Kernel:         choose(x, suffixKernel[float32], suffixKernel[float64]),
	}, x, ends)[0]
}

func suffixKernel[T tensor.Float](c *tensor.Call) {
	x, ends, y := tensor.Slice[T](&c.In[0]), tensor.Slice[int32](&c.In[1]), tensor.Slice[T](&c.Out[0])
	first := 0
	for s, end := range ends {
		if int(end) < first || int(end) > len(x) {
			panic(fmt.Sprintf("trajectory %d ends at action %d, want at least %d and at most %d", s, end, first, len(x)))
		}
		sum := 0.0
		for i := int(end) - 1; i >= first; i-- {
			sum += float64(x[i])
			y[i] = T(sum)
		}
		first = int(end)
	}
}

// column is the only column of x (A,1) as a vector.
func column(x *tensor.Node) *tensor.Node {
	return reshape(x, tensor.Shape{x.Shape()[0]})
}

func reshape(x *tensor.Node, shape tensor.Shape) *tensor.Node {
	from := x.Shape().Clone()
	return tensor.Apply(tensor.Spec{
		Name:           "column",
		Out:            []tensor.Output{{Shape: shape, Dtype: x.Dtype(), Axis: 1}},
		Differentiable: []bool{true},
		Gradient:       func(b *tensor.Backward) tensor.Nodes { return tensor.Nodes{reshape(b.Grad[0], from)} },
		Kernel:         choose(x, copyKernel[float32], copyKernel[float64]),
	}, x)[0]
}

func copyKernel[T tensor.Float](c *tensor.Call) {
	copy(tensor.Slice[T](&c.Out[0]), tensor.Slice[T](&c.In[0]))
}

// choose is the kernel for x's type.
func choose(x *tensor.Node, single, double tensor.Kernel) tensor.Kernel {
	if x.Dtype() == tensor.Float64 {
		return double
	}
	return single
}

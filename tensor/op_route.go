package tensor

import (
	"fmt"
	"math"
)

// RouteOptions control Route.
type RouteOptions struct {
	// K is the number of experts that a token is sent to.
	K int
	// Normalize divides the weights of the K experts by their sum.
	Normalize bool
}

// Route chooses experts for tokens (Shazeer et al. 2017, arXiv:1701.06538; Jiang et
// al. 2024, "Mixtral of Experts", arXiv:2401.04088): of the softmax over a row of
// logits (N, E) the K largest probabilities, in falling order, the lower number first
// where they are equal. It returns the weights (N, K), which are differentiable, the
// numbers of the experts (N, K), int32, and all probabilities (N, E), which are
// differentiable too and are for LoadBalance. Probabilities are computed in float64.
func Route(logits *Node, o RouteOptions) (weights, index, probs *Node) {
	const name = "route"
	checkFloat(name, logits)
	s := logits.Shape()
	if logits.Dims() != 2 || o.K < 1 || o.K > min(s[1], maxSlots) {
		fail("%s: got logits %v and K %d, want (N, E) and 1 to E, at most %d", name, s, o.K, maxSlots)
	}
	r := routing{experts: s[1], k: o.K, normalize: o.Normalize}
	slots := Output{Shape: Shape{s[0], o.K}, Dtype: logits.Dtype(), Axis: 1}
	numbers := slots
	numbers.Dtype = Int32
	spec := Spec{
		Name:           name,
		Out:            []Output{slots, numbers, fresh(logits, 0)},
		Differentiable: []bool{true},
		Kernel:         byFloat(name, logits, routeKernel[float32](r), routeKernel[float64](r)),
		Scratch:        8 * r.experts,
	}
	spec.Gradient = func(b *Backward) Nodes { return Nodes{routeGradient(b, r)} }
	out := Apply(spec, logits)
	return out[0], out[1], out[2]
}

// routing is the geometry of Route.
type routing struct {
	experts, k int
	normalize  bool
}

// routeKernel has output weights, index and probs.
func routeKernel[T Float](r routing) Kernel {
	return func(c *Call) {
		logits := Slice[T](&c.In[0])
		weights, index, probs := Slice[T](&c.Out[0]), Slice[int32](&c.Out[1]), Slice[T](&c.Out[2])
		p := scratch[float64](c, 0, r.experts)
		for n := range c.In[0].Rows() {
			softmax64(p, logits[n*r.experts:(n+1)*r.experts], n)
			if probs != nil {
				for e, v := range p {
					probs[n*r.experts+e] = T(v)
				}
			}
			pick(r, p, n, weights, index)
		}
	}
}

// softmax64 sets p to the softmax of logits.
func softmax64[T Float](p []float64, logits []T, row int) {
	top := math.Inf(-1)
	for _, x := range logits {
		top = math.Max(top, float64(x)) // NaN stays
	}
	if math.IsNaN(top) || math.IsInf(top, 0) {
		panic(fmt.Sprintf("router logits of row %d are not finite", row))
	}
	sum := 0.0
	for e, x := range logits {
		p[e] = math.Exp(float64(x) - top)
		sum += p[e]
	}
	for e := range p {
		p[e] /= sum
	}
}

// pick writes the slots of row n: the largest of p, which it spoils.
func pick[T Float](r routing, p []float64, n int, weights []T, index []int32) {
	sum := 0.0
	var chosen [maxSlots]float64
	for j := range r.k {
		best := 0
		for e, v := range p {
			if v > p[best] {
				best = e
			}
		}
		chosen[j] = p[best]
		sum += p[best]
		p[best] = -1
		if index != nil {
			index[n*r.k+j] = int32(best)
		}
	}
	if weights == nil {
		return
	}
	if !r.normalize {
		sum = 1
	}
	for j := range r.k {
		weights[n*r.k+j] = T(chosen[j] / sum)
	}
}

// maxSlots bounds the experts of a token.
const maxSlots = 64

// routeGradient is the gradient of the logits.
func routeGradient(b *Backward, r routing) *Node {
	ins := Nodes{b.Out[2], b.Out[1]} // probabilities, numbers
	fromWeights, fromProbs := 0, 0   // inputs, 0 for none
	if b.Grad[0] != nil {
		ins, fromWeights = append(ins, b.Grad[0]), len(ins)
	}
	if b.Grad[2] != nil {
		ins, fromProbs = append(ins, b.Grad[2]), len(ins)
	}
	like := b.In[0]
	return Apply(Spec{
		Name:           "route.grad",
		Out:            []Output{fresh(like, 0)},
		Differentiable: make([]bool, len(ins)),
		Kernel:         byFloat("route", like, routeGradKernel[float32](r, fromWeights, fromProbs), routeGradKernel[float64](r, fromWeights, fromProbs)),
		Scratch:        8 * r.experts,
	}, ins...)[0]
}

// routeGradKernel has inputs probs and index, and gradients where given.
func routeGradKernel[T Float](r routing, fromWeights, fromProbs int) Kernel {
	return func(c *Call) {
		probs, dx, dp := Slice[T](&c.In[0]), Slice[T](&c.Out[0]), scratch[float64](c, 0, r.experts)
		index := operand[int32](c, 1, c.In[0].Rows()*r.k)
		for n := range c.In[0].Rows() {
			p := probs[n*r.experts : (n+1)*r.experts]
			clear(dp)
			if fromProbs > 0 {
				for e, g := range operand[T](c, fromProbs, len(probs))[n*r.experts : (n+1)*r.experts] {
					dp[e] = float64(g)
				}
			}
			if fromWeights > 0 {
				addSlots(r, dp, p, index[n*r.k:(n+1)*r.k], operand[T](c, fromWeights, len(index))[n*r.k:(n+1)*r.k])
			}
			inner := 0.0 // of the softmax
			for e, g := range dp {
				inner += g * float64(p[e])
			}
			for e, g := range dp {
				dx[n*r.experts+e] = T(float64(p[e]) * (g - inner))
			}
		}
	}
}

// addSlots adds the gradient dw of a row's weights to that of its probabilities.
func addSlots[T Float](r routing, dp []float64, p []T, index []int32, dw []T) {
	sum, mean := 1.0, 0.0
	if r.normalize {
		sum = 0
		for j, e := range index {
			sum += float64(p[e])
			mean += float64(dw[j]) * float64(p[e])
		}
		mean /= sum
	}
	for j, e := range index {
		dp[e] += (float64(dw[j]) - mean) / sum
	}
}

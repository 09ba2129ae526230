package tensor

import "fmt"

// SegmentSum adds x (N) up over each segment of a packed batch: ends (S) holds
// the exclusive end of each, the first starts at 0; the result is (S). Ends must
// not fall and not exceed the live rows of x; an empty segment gives 0. Sums are
// taken in order in float64.
func SegmentSum(x, ends *Node) *Node {
	const name = "segment_sum"
	checkVector(name, "input", x, 0)
	checkInts(name, "ends", ends)
	return applySegmentSum(name, Nodes{ends, x})
}

// WeightedSegmentSum is SegmentSum of weights·x. Rows of weight 0 are skipped,
// not multiplied: whatever stands there, it does not count.
func WeightedSegmentSum(x, weights, ends *Node) *Node {
	const name = "weighted_segment_sum"
	checkVector(name, "input", x, 0)
	checkSame(name, x, weights)
	checkInts(name, "ends", ends)
	return applySegmentSum(name, Nodes{ends, x, weights})
}

func applySegmentSum(name string, ins Nodes) *Node {
	x := ins[1]
	s := Spec{
		Name:           name,
		Out:            []Output{{Shape: ins[0].Shape().Clone(), Dtype: x.Dtype(), Axis: 1}},
		Differentiable: []bool{false, true, true}[:len(ins)],
		Kernel:         byFloat(name, x, segmentSumKernel[float32](), segmentSumKernel[float64]()),
	}
	s.Gradient = func(b *Backward) Nodes {
		g, dy := make(Nodes, len(b.In)), b.Grad[0]
		if len(b.In) == 2 {
			g[1] = segmentSpread(name, b.In[0], dy, b.In[1], false)
			return g
		}
		// Each factor's gradient is the sum's, times the other factor.
		if b.Need[1] {
			g[1] = segmentSpread(name, b.In[0], dy, b.In[2], true)
		}
		if b.Need[2] {
			g[2] = segmentSpread(name, b.In[0], dy, b.In[1], true)
		}
		return g
	}
	return Apply(s, ins...)[0]
}

// segmentSumKernel has inputs ends, x and weights.
func segmentSumKernel[T Float]() Kernel {
	return func(c *Call) {
		x, y := Slice[T](&c.In[1]), Slice[T](&c.Out[0])
		var w []T
		if len(c.In) > 2 {
			w = operand[T](c, 2, len(x))
		}
		ends := Slice[int32](&c.In[0])
		checkEnds(ends, len(x))
		first := 0
		for s, end := range ends {
			y[s] = T(weightedSum(x, w, first, int(end)))
			first = int(end)
		}
	}
}

// weightedSum is Σ w·x over [lo, hi) without the rows of weight 0; w may be nil.
func weightedSum[T Float](x, w []T, lo, hi int) float64 {
	var total float64
	if w == nil {
		for _, v := range x[lo:hi] {
			total += float64(v)
		}
		return total
	}
	for i := lo; i < hi; i++ {
		if w[i] != 0 {
			total += float64(float64(w[i]) * float64(x[i]))
		}
	}
	return total
}

// checkEnds panics, which becomes the run's error, unless ends cut [0, rows)
// into segments.
func checkEnds(ends []int32, rows int) {
	last := int32(0)
	for s, e := range ends {
		if e < last || int(e) > rows {
			panic(fmt.Sprintf("segment %d ends at %d, want at least %d and at most %d", s, e, last, rows))
		}
		last = e
	}
}

// segmentSpread gives each row of like the dy (S) of its segment, times the row
// of like if times is set; rows in no segment get 0.
func segmentSpread(name string, ends, dy, like *Node, times bool) *Node {
	return Apply(Spec{
		Name:           name + ".grad",
		Out:            []Output{fresh(like, 2)},
		Differentiable: make([]bool, 3),
		Kernel:         byFloat(name, dy, segmentSpreadKernel[float32](times), segmentSpreadKernel[float64](times)),
	}, ends, dy, like)[0]
}

func segmentSpreadKernel[T Float](times bool) Kernel {
	return func(c *Call) {
		ends, dx := Slice[int32](&c.In[0]), Slice[T](&c.Out[0])
		dy := operand[T](c, 1, len(ends))
		checkEnds(ends, len(dx))
		factor := operand[T](c, 2, len(dx))
		first := 0
		for s, end := range ends {
			for i := first; i < int(end); i++ {
				dx[i] = dy[s]
				if times {
					dx[i] = dy[s] * factor[i]
				}
			}
			first = int(end)
		}
		clear(dx[first:])
	}
}

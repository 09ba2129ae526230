package tensor

// ExpertLinear sends each token through the linear layers of the experts that it
// was routed to. index (N, K), int32, names K of the E experts for each token, and
// weights are the experts' matrices, each (M, D); the result (N, K·M) has the
// products x·wᵀ of a token one after another. x is (N, D), the same for all experts
// of a token, or (N, K·D), the result of another ExpertLinear. Tokens of one expert
// are multiplied together, and experts without tokens cost nothing. Weights may be
// stored in 16 bits beside float32 activations.
func ExpertLinear(x, index *Node, weights ...*Node) *Node {
	const name = "expert_linear"
	d := newExperts(name, x, index, weights)
	ins := append(Nodes{x, index}, weights...)
	s := Spec{
		Name:           name,
		Out:            []Output{{Shape: Shape{x.Shape()[0], d.k * d.out}, Dtype: x.Dtype(), Axis: 1}},
		Differentiable: make([]bool, len(ins)),
		Kernel:         byFloat(name, x, expertKernel[float32](d), expertKernel[float64](d)),
		Scratch:        d.scratch() * floatSize(x),
	}
	for i := range ins {
		s.Differentiable[i] = i != 1
	}
	s.Gradient = func(b *Backward) Nodes { return expertGradient(b, d) }
	return Apply(s, ins...)[0]
}

// experts is the geometry of ExpertLinear.
type experts struct {
	in, out, k, count int
	perSlot           bool // x has a row for each slot of a token
}

func newExperts(name string, x, index *Node, weights Nodes) experts {
	checkFloat(name, x)
	if index == nil || index.Dtype() != Int32 || index.Dims() != 2 || len(weights) == 0 {
		fail("%s: got index %v and %d weights, want int32 numbers (N, K) and a weight for each expert", name, index, len(weights))
	}
	d := experts{k: index.Shape()[1], count: len(weights)}
	for i, w := range weights {
		checkWeight(name, x, w)
		if w.Dims() != 2 || !w.Shape().Eq(weights[0].Shape()) {
			fail("%s: weight %d has shape %v, want that of weight 0, a matrix: %v", name, i, w.Shape(), weights[0].Shape())
		}
	}
	d.out, d.in = weights[0].Shape()[0], weights[0].Shape()[1]
	xs := x.Shape()
	if x.Dims() != 2 || xs[0] != index.Shape()[0] || xs[1] != d.in && xs[1] != d.k*d.in {
		fail("%s: got input %v, index %v and weights %v, want (N, D) or (N, K·D), (N, K) and (M, D)", name, xs, index.Shape(), weights[0].Shape())
	}
	d.perSlot = xs[1] != d.in
	return d
}

// expertBlock is the number of rows of one expert that are multiplied at a time.
const expertBlock = 256

// scratch is working memory in elements: a block of inputs and one of outputs.
func (d experts) scratch() int { return expertBlock * (d.in + d.out) }

// input is the first element of the row of x that slot s reads.
func (d experts) input(s int) int {
	if d.perSlot {
		return s * d.in
	}
	return s / d.k * d.in
}

// assignment lists the slots of each expert in rising order.
type assignment struct {
	slots []int32
	ends  []int // exclusive, one an expert
}

// assign sorts the slots of a run by expert, without allocating after the first run.
func (d experts) assign(c *Call, index []int32) *assignment {
	a, ok := c.State.(*assignment)
	if !ok {
		a = &assignment{ends: make([]int, d.count)}
		c.State = a
	}
	checkIDs(index, d.count)
	if cap(a.slots) < len(index) {
		a.slots = make([]int32, len(index))
	}
	a.slots = a.slots[:len(index)]
	clear(a.ends)
	for _, e := range index {
		if int(e)+1 < d.count {
			a.ends[e+1]++
		}
	}
	for e := 1; e < d.count; e++ {
		a.ends[e] += a.ends[e-1]
	}
	for s, e := range index { // ends are starts until they have moved past their slots
		a.slots[a.ends[e]] = int32(s)
		a.ends[e]++
	}
	return a
}

// blocks calls fn with the slots of each expert, a block at a time.
func (a *assignment) blocks(fn func(expert int, slots []int32)) {
	first := 0
	for e, end := range a.ends {
		for ; first < end; first += min(expertBlock, end-first) {
			fn(e, a.slots[first:min(first+expertBlock, end)])
		}
	}
}

// expertKernel has inputs x, index and the weights.
func expertKernel[T Float](d experts) Kernel {
	return func(c *Call) {
		x, y := Slice[T](&c.In[0]), Slice[T](&c.Out[0])
		a := d.assign(c, operand[int32](c, 1, c.In[0].Rows()*d.k))
		a.blocks(func(e int, slots []int32) {
			rows, result := scratch[T](c, 0, len(slots)*d.in), scratch[T](c, expertBlock*d.in, len(slots)*d.out)
			for i, s := range slots {
				copy(rows[i*d.in:(i+1)*d.in], x[d.input(int(s)):])
			}
			p := product[T]{M: len(slots), N: d.out, K: d.in, A: rows, B: c.In[2+e], TransB: true, C: result}
			p.run(c)
			for i, s := range slots {
				copy(y[int(s)*d.out:(int(s)+1)*d.out], result[i*d.out:])
			}
		})
	}
}

package tensor

// LoRAOptions control LinearLoRA.
type LoRAOptions struct {
	Scale   float64 // factor of the low-rank update: α/r, or α/√r for rsLoRA; not 0
	Dropout float64 // rate at which elements of the update's input are dropped
	Salt    uint64  // names the dropout's randomness; one of its own for each layer
	// Transposed says that w is (K, M), as for LinearTransposed; a and b are not.
	Transposed bool
}

// LinearLoRA is a linear layer with a low-rank update (Hu et al. 2021,
// arXiv:2106.09685, eq. 3):
//
//	y = x·wᵀ + bias + Scale·drop(x)·aᵀ·bᵀ
//
// for x (N, K), w (M, K), bias (M) or nil, a (R, K) and b (M, R). The backward
// pass keeps x and t = drop(x)·aᵀ (N, R); the dropout mask is drawn again. All
// weights may be stored in 16 bits beside float32 activations.
func LinearLoRA(x, w, bias, a, b *Node, o LoRAOptions) *Node {
	l := newLoRA(x, w, bias, a, b, o)
	ins := Nodes{x, w, a, b}
	if bias != nil {
		ins = append(ins, bias)
	}
	low := Output{Shape: Shape{x.Shape()[0], l.rank}, Dtype: x.Dtype(), Axis: 1}
	s := Spec{
		Name:           "linear_lora",
		Out:            []Output{l.output(x), low},
		Differentiable: []bool{true, true, true, true, true}[:len(ins)],
		Kernel:         byFloat("linear_lora", x, loraKernel[float32](l), loraKernel[float64](l)),
		Scratch:        (l.lowRank() + max(l.dropped(), l.out)) * floatSize(x),
	}
	s.Gradient = func(b *Backward) Nodes { return loraGradient(b, l) }
	return Apply(s, ins...)[0]
}

// lora is the geometry of a linear layer with a low-rank update.
type lora struct {
	linear
	rows, rank int
	scale      float64
	drop       dropout
}

func newLoRA(x, w, bias, a, b *Node, o LoRAOptions) lora {
	const name = "linear_lora"
	l := lora{linear: newLinear(name, x, w, bias, o.Transposed), rows: x.Shape()[0], scale: o.Scale, drop: newDropout(name, o.Dropout, o.Salt)}
	checkWeight(name, x, a)
	checkWeight(name, x, b)
	as, bs := a.Shape(), b.Shape()
	if a.Dims() != 2 || b.Dims() != 2 || as[1] != l.in || bs[0] != l.out || as[0] != bs[1] {
		fail("%s: got a %v and b %v beside a weight %v, want (R, %d) and (%d, R)", name, as, bs, w.Shape(), l.in, l.out)
	}
	if o.Scale == 0 {
		fail("%s: scale is 0, which would turn the update off; use Linear", name)
	}
	l.rank = as[0]
	return l
}

// loraBlock is the number of rows whose dropped inputs are materialised at a
// time.
const loraBlock = 256

// block is the number of rows handled at a time: all where nothing is dropped.
func (l *lora) block() int {
	if l.drop.p == 0 {
		return max(l.rows, 1)
	}
	return loraBlock
}

// Scratch memory holds an (N, R) matrix, then a block of dropped rows.
func (l *lora) lowRank() int { return l.rows * l.rank }

func (l *lora) dropped() int {
	if l.drop.p == 0 {
		return 0
	}
	return min(l.rows, loraBlock) * l.in
}

// loraKernel has inputs x, w, a, b, bias and outputs y and t = drop(x)·aᵀ.
func loraKernel[T Float](l lora) Kernel {
	drop := newLoRADropper[T](l, 0)
	addBias := newBiasAdder[T](4, l.lowRank())
	return func(c *Call) {
		n := c.In[0].Rows()
		t := Slice[T](&c.Out[1])
		if t == nil {
			t = scratch[T](c, 0, n*l.rank)
		}
		for first := 0; first < n; first += l.block() {
			m := min(l.block(), n-first)
			p := product[T]{M: m, N: l.rank, K: l.in, A: drop(c, first, m), B: c.In[2], TransB: true, C: t[first*l.rank:]}
			p.run(c)
		}
		if !c.Out[0].Wanted() {
			return
		}
		linearForward[T](c, l.linear)
		p := product[T]{M: n, N: l.out, K: l.rank, A: t, B: c.In[3], TransB: true, C: Slice[T](&c.Out[0]), Alpha: l.scale, Add: true}
		p.run(c)
		addBias(c)
	}
}

// rowBlock says to the pieces of a parallel loop where the rows at hand begin.
type rowBlock struct{ first int }

// newLoRADropper returns a function whose result is drop(x) for some rows of x,
// input i: x itself where nothing is dropped, else working memory.
func newLoRADropper[T Float](l lora, i int) func(c *Call, first, rows int) []T {
	body := func(c *Call, lo, hi, _ int) {
		at := c.State.(*rowBlock).first * l.in
		dropSlice(l.drop, c.Random, scratch[T](c, l.lowRank(), hi)[lo:], Slice[T](&c.In[i])[at+lo:at+hi], at+lo)
	}
	return func(c *Call, first, rows int) []T {
		if l.drop.p == 0 {
			return Slice[T](&c.In[i])[first*l.in : (first+rows)*l.in]
		}
		setRowBlock(c, first)
		c.Parallel(rows*l.in, drawGrain, body)
		return scratch[T](c, l.lowRank(), rows*l.in)
	}
}

func setRowBlock(c *Call, first int) {
	b, ok := c.State.(*rowBlock)
	if !ok {
		b = &rowBlock{}
		c.State = b
	}
	b.first = first
}

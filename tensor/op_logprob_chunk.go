package tensor

// Indices of the inputs that a low-rank update of the head adds.
const (
	logProbLow     = 4
	logProbLowHead = 5
)

// lowRankOf checks the low-rank update of p's head and returns its rank.
func lowRankOf(p Distribution) int {
	const name = "logprob"
	if p.Low == nil || p.LowHead == nil {
		fail("%s: one of low and low head is nil, want both or none", name)
	}
	checkFloat(name, p.Low)
	checkWeight(name, p.Low, p.LowHead)
	low, head := p.Low.Shape(), p.LowHead.Shape()
	if p.Low.Dims() != 2 || p.LowHead.Dims() != 2 || low[1] != head[1] || low[0] != p.H.Shape()[0] || head[0] != p.Head.Shape()[0] {
		fail("%s: low has shape %v and its head %v beside h %v and head %v, want (N, R) and (V, R)", name, low, head, p.H.Shape(), p.Head.Shape())
	}
	if p.Low.Dtype() != p.H.Dtype() {
		fail("%s: low has type %v and h %v, want the same", name, p.Low.Dtype(), p.H.Dtype())
	}
	return low[1]
}

// logProbChunks computes logits, as sums over pairs of row inputs and matrices
// over the vocabulary: h and head, and low and its head.
type logProbChunks[T Float] struct{ pairs []logProbPair[T] }

func newLogProbChunks[T Float](l logProbLayout) logProbChunks[T] {
	// Working memory: hidden rows, logits, low rows; then, in the gradient, the
	// sums of the gradients by hidden rows and by low rows.
	low := l.m * (l.d + l.chunk)
	sums := low + l.m*l.r
	pairs := []logProbPair[T]{newLogProbPair[T](l, logProbPair[T]{matrix: 1, width: l.d, rows: 0, sums: sums, out: 0}, 0)}
	if l.r > 0 {
		pairs = append(pairs, newLogProbPair[T](l, logProbPair[T]{matrix: logProbLowHead, width: l.r, rows: low, sums: sums + l.m*l.d, out: 2}, logProbLow))
	}
	return logProbChunks[T]{pairs}
}

// gather copies the scored rows of all row inputs.
func (k *logProbChunks[T]) gather(c *Call) {
	for i := range k.pairs {
		k.pairs[i].gather(c)
	}
}

// multiply computes the logits of a chunk up to the soft cap.
func (k *logProbChunks[T]) multiply(c *Call, s *logProbState) {
	for i := range k.pairs {
		k.pairs[i].forward(c, s, i > 0)
	}
}

// logProbPair is one row input with its matrix over the vocabulary.
type logProbPair[T Float] struct {
	l          logProbLayout
	matrix     int // input with the matrix (V, width)
	width      int
	rows, sums int // where working memory holds the scored rows, and the gradients by them
	out        int // output with the gradient by the row input; that by the matrix is next
	gather     func(c *Call)
	scatterer  func(c *Call, lo, hi, worker int)
}

func newLogProbPair[T Float](l logProbLayout, p logProbPair[T], from int) logProbPair[T] {
	p.l = l
	p.gather = gatherRows[T](from, 2, p.rows, p.width)
	p.scatterer = func(c *Call, lo, hi, _ int) {
		scatterColumns(Slice[T](&c.Out[p.out]), p.gradients(c), Slice[int32](&c.In[2]), p.width, lo, hi)
	}
	return p
}

// gathered is the scored rows, gradients the memory for the gradients by them.
func (p *logProbPair[T]) gathered(c *Call) []T {
	return scratch[T](c, p.rows, c.In[2].Rows()*p.width)
}

func (p *logProbPair[T]) gradients(c *Call) []T {
	return scratch[T](c, p.sums, c.In[2].Rows()*p.width)
}

// forward sets the logits of a chunk to the pair's product, or adds it.
func (p *logProbPair[T]) forward(c *Call, s *logProbState, add bool) {
	_, logits := logProbMemory[T](c, &p.l)
	q := product[T]{M: c.In[2].Rows(), N: s.n, K: p.width, A: p.gathered(c), B: headChunk(&c.In[p.matrix], s.lo, s.n), TransB: true,
		C: logits, Alpha: p.l.alpha(), Add: add}
	q.run(c)
}

// backward adds the share of a chunk, whose logits have become gradients, to the
// gradients by the rows and the matrix.
func (p *logProbPair[T]) backward(c *Call, s *logProbState) {
	m := c.In[2].Rows()
	_, logits := logProbMemory[T](c, &p.l)
	if c.Out[p.out].Wanted() {
		q := product[T]{M: m, N: p.width, K: s.n, A: logits, B: headChunk(&c.In[p.matrix], s.lo, s.n), C: p.gradients(c), Alpha: p.l.slope(), Add: s.lo > 0}
		q.run(c)
	}
	if d := Slice[T](&c.Out[p.out+1]); d != nil {
		q := product[T]{M: s.n, N: p.width, K: m, A: logits, TransA: true, B: viewOfSlice(p.gathered(c)), C: d[s.lo*p.width : (s.lo+s.n)*p.width],
			Alpha: p.l.slope(), Add: c.Acc[p.out+1]}
		q.run(c)
	}
}

// scatter brings the gradients by the scored rows to their places.
func (p *logProbPair[T]) scatter(c *Call) {
	if c.Out[p.out].Wanted() {
		c.Parallel(p.width, columnGrain, p.scatterer)
	}
}

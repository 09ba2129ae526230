package tensor

import (
	"math"
	"unsafe"
)

// LogProbOptions say how a hidden state becomes a distribution:
//
//	logits = softcap(LogitScale · h·headᵀ) / Temperature, softcap(x) = c·tanh(x/c)
type LogProbOptions struct {
	Temperature float64 // 0 means 1
	LogitScale  float64 // 0 means 1
	SoftCap     float64 // c; 0 means no cap
}

// LogProbs are statistics of the distribution over the vocabulary at each
// scored position, each (M). Logits are those after all options; p is their
// softmax; logarithms are natural. What nobody reads is not computed.
type LogProbs struct {
	LogProb    *Node // log p(target)
	Entropy    *Node // −Σ p log p
	LogSumExp  *Node // log Σ exp(logit)
	SumLogProb *Node // Σ log p, for label smoothing
	SumSquares *Node // Σ p²
	MeanLogit  *Node // mean of the logits
	ArgMax     *Node // int32: the most likely token, the first of equals; no gradient
}

// Indices of the outputs of the op.
const (
	outLogProb = iota
	outEntropy
	outLogSumExp
	outSumLogProb
	outSumSquares
	outMeanLogit
	outArgMax
	outExpectation // Σ p·head row, (M, D): only the cheap gradient reads it
)

// TokenLogProb scores tokens without an array of (tokens × vocabulary): logits
// exist for some 256 to 2048 tokens of the vocabulary at a time. h (N, D) are
// hidden states after the final norm; head (V, D) is the output matrix, of the
// type of h or, beside float32, of 16 bits; rows (M) int32 lists the rows of h
// to score, in any order and as often as wanted; targets (M) int32 are the token
// ids whose probability is asked for. An index out of range is an error of the
// run.
//
// All statistics but ArgMax can be differentiated by h and head, together. Rows
// that are not listed get a gradient of exactly 0. Where only LogProb and
// LogSumExp are, head is frozen and there is no SoftCap, the forward pass also
// sums the expected row of head, Σ p·head (in the manner of Dao et al. 2022,
// arXiv:2205.14135), and the backward pass needs no product with the vocabulary;
// otherwise it computes the logits again.
//
// The sums over the vocabulary are accumulated in float64 across chunks. Working
// memory is about M·(D + chunk) elements, twice M·D for the gradient.
func TokenLogProb(h, head, rows, targets *Node, o LogProbOptions) LogProbs {
	return Distribution{H: h, Head: head, Options: o}.LogProbs(rows, targets)
}

// LogProbs is TokenLogProb of the distribution. Where Low is set, the gradient
// always computes the logits again.
func (p Distribution) LogProbs(rows, targets *Node) LogProbs {
	h := p.H
	l := newLogProbLayout(h, p.Head, rows, targets, p.Options)
	dt := h.Dtype()
	ins := Nodes{h, p.Head, rows, targets}
	s := Spec{Name: "logprob", Differentiable: []bool{true, true, false, false}}
	if p.Low != nil || p.LowHead != nil {
		l.r = lowRankOf(p)
		ins, s.Differentiable = append(ins, p.Low, p.LowHead), append(s.Differentiable, true, true)
	}
	for i := range outExpectation + 1 {
		out := Output{Shape: Shape{l.m}, Dtype: dt, Axis: 3}
		switch i {
		case outArgMax:
			out.Dtype = Int32
		case outExpectation:
			out.Shape = Shape{l.m, l.d}
		}
		s.Out = append(s.Out, out)
	}
	s.Kernel = byFloat(s.Name, h, logProbKernel[float32](l), logProbKernel[float64](l))
	s.Scratch = l.m * (l.d + l.chunk + l.r) * floatSize(h)
	s.Gradient = func(b *Backward) Nodes { return logProbGradient(b, l) }
	ns := Apply(s, ins...)
	return LogProbs{ns[outLogProb], ns[outEntropy], ns[outLogSumExp], ns[outSumLogProb], ns[outSumSquares], ns[outMeanLogit], ns[outArgMax]}
}

// logProbLayout is what is known when the op is built.
type logProbLayout struct {
	LogProbOptions
	m, d, v int // scored rows (capacity), hidden width, vocabulary
	chunk   int // tokens of the vocabulary at a time
	r       int // rank of the head's low-rank update; 0 for none
}

const (
	logProbElements = 4 << 20 // logits at a time
	minVocabChunk   = 256
	maxVocabChunk   = 2048
)

func newLogProbLayout(h, head, rows, targets *Node, o LogProbOptions) logProbLayout {
	const name = "logprob"
	checkFloat(name, h)
	checkWeight(name, h, head)
	checkInts(name, "rows", rows)
	checkInts(name, "targets", targets)
	if h.Dims() != 2 || head.Dims() != 2 || h.Shape()[1] != head.Shape()[1] {
		fail("%s: h has shape %v and head %v, want (N, D) and (V, D)", name, h.Shape(), head.Shape())
	}
	if rows.Shape()[0] != targets.Shape()[0] {
		fail("%s: %d rows and %d targets, want equal numbers", name, rows.Shape()[0], targets.Shape()[0])
	}
	if o.Temperature == 0 {
		o.Temperature = 1
	}
	if o.LogitScale == 0 {
		o.LogitScale = 1
	}
	for _, x := range []float64{o.Temperature, o.LogitScale, o.SoftCap} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			fail("%s: options %+v, want finite numbers", name, o)
		}
	}
	if o.Temperature < 0 || o.SoftCap < 0 {
		fail("%s: temperature %g and soft cap %g, want none negative", name, o.Temperature, o.SoftCap)
	}
	l := logProbLayout{LogProbOptions: o, m: rows.Shape()[0], d: h.Shape()[1], v: head.Shape()[0]}
	l.chunk = min(l.v, min(max(logProbElements/l.m, minVocabChunk), maxVocabChunk)&^63)
	return l
}

// alpha is the factor of h·headᵀ before the soft cap's tanh, or of the logits.
func (l *logProbLayout) alpha() float64 {
	if l.SoftCap > 0 {
		return l.LogitScale / l.SoftCap
	}
	return l.slope()
}

// slope is ∂logit/∂(h·head) where the soft cap does not bend.
func (l *logProbLayout) slope() float64 { return l.LogitScale / l.Temperature }

// height is the factor of tanh in a capped logit.
func (l *logProbLayout) height() float64 { return l.SoftCap / l.Temperature }

// logProbState is kept between runs.
type logProbState struct {
	stats []logProbStats
	lo, n int // the chunk of the vocabulary being computed
}

func logProbStateOf(c *Call) *logProbState {
	s, ok := c.State.(*logProbState)
	if !ok {
		s = &logProbState{}
		c.State = s
	}
	return s
}

// logProbMemory is the working memory of a call: the hidden states of the scored
// rows and the logits of a chunk.
func logProbMemory[T Float](c *Call, l *logProbLayout) (hidden, logits []T) {
	m := c.In[2].Rows()
	return scratch[T](c, 0, m*l.d), scratch[T](c, l.m*l.d, m*l.chunk)
}

// gatherRows returns a function that copies the rows of input from that input
// rows lists to the scratch memory at off.
func gatherRows[T Float](from, rows, off, d int) func(c *Call) {
	body := func(c *Call, lo, hi, _ int) {
		h, to := Slice[T](&c.In[from]), scratch[T](c, off, c.In[rows].Rows()*d)
		for i, row := range Slice[int32](&c.In[rows])[lo:hi] {
			copy(to[(lo+i)*d:(lo+i+1)*d], h[int(row)*d:])
		}
	}
	return func(c *Call) {
		checkIDs(Slice[int32](&c.In[rows]), c.In[from].Rows())
		c.Parallel(c.In[rows].Rows(), max(1, elementGrain/d), body)
	}
}

// headChunk is n rows of a matrix from row lo on.
func headChunk(v *View, lo, n int) View {
	d := v.Cols()
	return View{Ptr: unsafe.Add(v.Ptr, lo*d*int(v.Dtype.Size())), Len: n * d, Dtype: v.Dtype}
}

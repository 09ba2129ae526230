package tensor

import (
	"fmt"
	"math"
)

// rotation says which elements of a row make pairs, and which way they turn.
type rotation struct {
	head, rotary int
	interleaved  bool
	back         bool
}

// rotate applies a table of angles to x.
func rotate(x, table *Node, r rotation) *Node {
	name := "rope"
	if r.back {
		name = "rope.grad"
	}
	s := Spec{
		Name:           name,
		Out:            []Output{like(x, 0)},
		Differentiable: []bool{true, false},
		Kernel:         byFloat(name, x, ropeKernel[float32](r), ropeKernel[float64](r)),
	}
	s.Gradient = func(b *Backward) Nodes {
		opposite := r
		opposite.back = !r.back
		return Nodes{rotate(b.Grad[0], b.In[1], opposite), nil}
	}
	return Apply(s, x, table)[0]
}

// ropeKernel has inputs x and the table.
func ropeKernel[T Float](r rotation) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		x, y, table := Slice[T](&c.In[0]), Slice[T](&c.Out[0]), Slice[T](&c.In[1])
		width := c.In[0].Cols()
		for i := lo; i < hi; i++ {
			angle := table[i*r.rotary : (i+1)*r.rotary]
			for at := i * width; at < (i+1)*width; at += r.head {
				rotateHead(y[at:at+r.head], x[at:at+r.head], angle, r)
			}
		}
	}
	return func(c *Call) {
		operand[T](c, 1, c.In[0].Rows()*r.rotary)
		c.Parallel(c.In[0].Rows(), max(1, elementGrain/max(1, c.In[0].Cols())), body)
	}
}

// rotateHead sets y to x, which may be the same memory, turned by the angles
// whose cosines and then sines are given.
func rotateHead[T Float](y, x, angle []T, r rotation) {
	half := r.rotary / 2
	cos, sin := angle[:half], angle[half:][:half]
	sign := T(1)
	if r.back {
		sign = -1
	}
	if r.interleaved {
		for i, c := range cos {
			a, b, s := x[2*i], x[2*i+1], sign*sin[i]
			y[2*i], y[2*i+1] = T(a*c)-T(b*s), T(b*c)+T(a*s)
		}
	} else {
		x0, x1, y0, y1 := x[:half], x[half:][:half], y[:half], y[half:][:half]
		for i, c := range cos {
			a, b, s := x0[i], x1[i], sign*sin[i]
			y0[i], y1[i] = T(a*c)-T(b*s), T(b*c)+T(a*s)
		}
	}
	copy(y[r.rotary:], x[r.rotary:])
}

// angleState is kept between runs: the frequencies of each row where they
// depend on the length.
type angleState struct {
	row   []int // index into freqs
	freqs []frequencies
}

// frequencies are those of sequences of one length.
type frequencies struct {
	length int
	inv    []float64
	scale  float64
}

// angleKernel has the positions as input and, for frequencies that depend on
// the length, the ends of segments (S) or the slots (N).
func angleKernel[T Float](o RoPEOptions) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		positions, y := Slice[int32](&c.In[0]), Slice[T](&c.Out[0])
		state, half := c.State.(*angleState), o.Rotary/2
		for i := lo; i < hi; i++ {
			f := frequencies{0, o.InvFreq, o.Scale}
			if o.LengthFreqs != nil {
				f = state.freqs[state.row[i]]
			}
			for k, inv := range f.inv {
				sin, cos := math.Sincos(float64(positions[i]) * inv)
				y[i*o.Rotary+k], y[i*o.Rotary+half+k] = T(cos*f.scale), T(sin*f.scale)
			}
		}
	}
	return func(c *Call) {
		if c.State == nil {
			c.State = &angleState{}
		}
		for i, p := range Slice[int32](&c.In[0]) {
			if p < 0 {
				panic(fmt.Sprintf("position %d of row %d is negative", p, i))
			}
		}
		if o.LengthFreqs != nil {
			c.State.(*angleState).survey(c, o)
		}
		c.Parallel(c.In[0].Rows(), angleGrain, body)
	}
}

// angleGrain is the number of rows of angles worth a piece of parallel work.
const angleGrain = 16

// survey finds the length of each row's sequence. Only new lengths allocate.
func (s *angleState) survey(c *Call, o RoPEOptions) {
	n := c.In[0].Rows()
	for len(s.row) < n {
		s.row = append(s.row, 0)
	}
	marks := Slice[int32](&c.In[1])
	if o.Ends == nil {
		marks = operand[int32](c, 1, n)
		for lo := 0; lo < n; {
			hi := lo + 1
			for hi < n && marks[hi] == marks[lo] {
				hi++
			}
			s.sequence(c, o, lo, hi)
			lo = hi
		}
		return
	}
	lo := 0
	for i, end := range marks {
		if int(end) < lo || int(end) > n {
			panic(fmt.Sprintf("segment %d ends at %d, want %d to %d", i, end, lo, n))
		}
		s.sequence(c, o, lo, int(end))
		lo = int(end)
	}
	s.sequence(c, o, lo, n)
}

// sequence books rows lo to hi as one sequence.
func (s *angleState) sequence(c *Call, o RoPEOptions, lo, hi int) {
	if lo == hi {
		return
	}
	length := 0
	for _, p := range Slice[int32](&c.In[0])[lo:hi] {
		length = max(length, int(p)+1)
	}
	at := s.of(length, o)
	for i := lo; i < hi; i++ {
		s.row[i] = at
	}
}

// of is the index of the frequencies for a length.
func (s *angleState) of(length int, o RoPEOptions) int {
	for i := range s.freqs {
		if s.freqs[i].length == length {
			return i
		}
	}
	inv, scale := o.LengthFreqs(length)
	if len(inv) != o.Rotary/2 {
		panic(fmt.Sprintf("LengthFreqs(%d) returned %d frequencies, want %d", length, len(inv), o.Rotary/2))
	}
	s.freqs = append(s.freqs, frequencies{length, inv, scale})
	return len(s.freqs) - 1
}

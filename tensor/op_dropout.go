package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// Dropout sets each element of x to 0 with probability p and divides the others
// by 1−p (Srivastava et al. 2014). Which elements are dropped depends on the
// run's seed and step, on salt and on the position; the mask is drawn again for
// the gradient, never stored. Give every dropout of a graph a salt of its own.
func Dropout(x *Node, p float64, salt uint64) *Node {
	d := newDropout("dropout", p, salt)
	checkFloat("dropout", x)
	if p == 0 {
		return x
	}
	s := Spec{
		Name:           "dropout",
		Out:            []Output{like(x, 0)},
		Differentiable: []bool{true},
		Gradient:       func(b *Backward) Nodes { return Nodes{Dropout(b.Grad[0], p, salt)} },
		Kernel:         byFloat("dropout", x, dropoutKernel[float32](d), dropoutKernel[float64](d)),
	}
	return Apply(s, x)[0]
}

// dropout is a rate and the name of its randomness.
type dropout struct {
	p    float64
	salt uint64
}

func newDropout(name string, p float64, salt uint64) dropout {
	if !(p >= 0 && p < 1) {
		fail("%s: dropout rate, got %g, want at least 0 and less than 1", name, p)
	}
	return dropout{p, salt}
}

func dropoutKernel[T Float](d dropout) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		dropSlice(d, c.Random, Slice[T](&c.Out[0])[lo:hi], operand[T](c, 0, c.Out[0].Len)[lo:hi], lo)
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, drawGrain, body) }
}

const drawGrain = 4096 // random numbers worth a piece of parallel work

// dropSlice is dst = drop(x) where x starts at the given position; dst may be
// x.
func dropSlice[T Float](d dropout, r *Random, dst, x []T, at int) {
	var draw [drawBlock]float32
	for lo := 0; lo < len(x); lo += drawBlock {
		hi := min(lo+drawBlock, len(x))
		r.uniform(draw[:hi-lo], d.salt, purposeDropout, at+lo)
		kernel.Drop(dst[lo:hi], x[lo:hi], draw[:], float32(d.p), T(1/(1-d.p)))
	}
}

// addDropped is dst += drop(x).
func addDropped[T Float](d dropout, r *Random, dst, x []T, at int) {
	var draw [drawBlock]float32
	for lo := 0; lo < len(x); lo += drawBlock {
		hi := min(lo+drawBlock, len(x))
		r.uniform(draw[:hi-lo], d.salt, purposeDropout, at+lo)
		kernel.DropAdd(dst[lo:hi], x[lo:hi], draw[:], float32(d.p), T(1/(1-d.p)))
	}
}

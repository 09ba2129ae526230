package tensor

import (
	"math"
	"sort"
)

// Noise adds uniform noise to embeddings x (N, D), as NEFTune does while
// training (Jain et al. 2023, arXiv:2310.05914, algorithm 1): each element of a
// segment of L rows is changed by at most alpha/√(L·D). ends (S) holds the
// exclusive end of each segment; rows in no segment stay as they are. L is the
// segment's own length, where libraries that pad take the length of the longest
// row. The noise depends on the run's seed and step, on salt and on the
// position; the gradient passes through.
func Noise(x *Node, alpha float64, ends *Node, salt uint64) *Node {
	const name = "noise"
	checkFloat(name, x)
	checkInts(name, "ends", ends)
	if x.Dims() != 2 {
		fail("%s: input has shape %v, want (N, D)", name, x.Shape())
	}
	if !(alpha >= 0) || math.IsInf(alpha, 0) {
		fail("%s: alpha, got %g, want a finite number not below 0", name, alpha)
	}
	return Apply(Spec{
		Name:           name,
		Out:            []Output{like(x, 0)},
		Differentiable: []bool{true, false},
		Gradient:       func(b *Backward) Nodes { return Nodes{b.Grad[0], nil} },
		Kernel:         byFloat(name, x, noiseKernel[float32](alpha, salt), noiseKernel[float64](alpha, salt)),
	}, x, ends)[0]
}

// noiseKernel has inputs x and ends.
func noiseKernel[T Float](alpha float64, salt uint64) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		d := c.In[0].Cols()
		x, y, ends := Slice[T](&c.In[0]), Slice[T](&c.Out[0]), Slice[int32](&c.In[1])
		s := sort.Search(len(ends), func(s int) bool { return int(ends[s]) > lo })
		for r := lo; r < hi; r++ {
			for s < len(ends) && int(ends[s]) <= r {
				s++
			}
			amount := 0.0
			if s < len(ends) {
				first := 0
				if s > 0 {
					first = int(ends[s-1])
				}
				amount = alpha / math.Sqrt(float64((int(ends[s])-first)*d))
			}
			noisyRow(c.Random, salt, y[r*d:(r+1)*d], x[r*d:(r+1)*d], amount, r*d)
		}
	}
	return func(c *Call) {
		checkEnds(Slice[int32](&c.In[1]), c.In[0].Rows())
		c.Parallel(c.In[0].Rows(), max(1, drawGrain/max(1, c.In[0].Cols())), body)
	}
}

// noisyRow is y = x + amount·U(−1, 1) for a row that starts at a position; y may
// be x.
func noisyRow[T Float](r *Random, salt uint64, y, x []T, amount float64, at int) {
	if amount == 0 {
		copy(y, x)
		return
	}
	var draw [drawBlock]float32
	for lo := 0; lo < len(x); lo += drawBlock {
		hi := min(lo+drawBlock, len(x))
		r.uniform(draw[:hi-lo], salt, purposeNoise, at+lo)
		for i, u := range draw[:hi-lo] {
			y[lo+i] = x[lo+i] + T(T(amount)*T(2*u-1))
		}
	}
}

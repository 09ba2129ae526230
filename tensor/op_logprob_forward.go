package tensor

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// logProbStats are the sums of one row over the chunks done so far. Those over
// exponentials are relative to the largest logit.
type logProbStats struct {
	largest  float64
	exps     float64 // Σ exp(l − largest)
	weighted float64 // Σ exp(l − largest)·l
	squares  float64 // Σ exp(2(l − largest))
	logits   float64 // Σ l
	target   float64
	best     int
}

// logProbBlock is the number of exponentials kept at a time.
const logProbBlock = 512

// logProbWants is what a call is asked for, beyond the log-sum-exp.
type logProbWants struct{ logits, entropy, squares, best, expectation bool }

func wants(c *Call) logProbWants {
	w := func(i int) bool { return c.Out[i].Wanted() }
	return logProbWants{w(outSumLogProb) || w(outMeanLogit), w(outEntropy), w(outSumSquares), w(outArgMax), w(outExpectation)}
}

// logProbKernel has inputs h, head, rows, targets and, with a low-rank update,
// low and its head.
func logProbKernel[T Float](l logProbLayout) Kernel {
	chunks := newLogProbChunks[T](l)
	reduce := func(c *Call, lo, hi, _ int) {
		s, w := c.State.(*logProbState), wants(c)
		_, logits := logProbMemory[T](c, &l)
		targets := Slice[int32](&c.In[3])
		for i := lo; i < hi; i++ {
			row := logits[i*s.n : (i+1)*s.n]
			finishLogits(&l, row)
			st := &s.stats[i]
			if t := int(targets[i]) - s.lo; t >= 0 && t < s.n {
				st.target = float64(row[t])
			}
			if f := addLogits(st, row, s.lo, w); w.expectation && f != 1 && s.lo > 0 {
				u := Slice[T](&c.Out[outExpectation])[i*l.d : (i+1)*l.d]
				kernel.Scale(u, u, T(f))
			}
		}
	}
	finish := func(c *Call, lo, hi, _ int) {
		s := c.State.(*logProbState)
		for i := lo; i < hi; i++ {
			storeStats[T](c, &l, i, &s.stats[i])
		}
	}
	return func(c *Call) {
		s, m := logProbStateOf(c), c.In[2].Rows()
		checkIDs(operand[int32](c, 3, m), l.v)
		chunks.gather(c)
		s.reset(m)
		_, logits := logProbMemory[T](c, &l)
		for s.lo = 0; s.lo < l.v; s.lo += l.chunk {
			s.n = min(l.chunk, l.v-s.lo)
			chunks.multiply(c, s)
			c.Parallel(m, max(1, elementGrain/s.n), reduce)
			if u := Slice[T](&c.Out[outExpectation]); u != nil {
				p := product[T]{M: m, N: l.d, K: s.n, A: logits, B: headChunk(&c.In[1], s.lo, s.n), C: u, Add: s.lo > 0}
				p.run(c)
			}
		}
		c.Parallel(m, max(1, elementGrain/l.d), finish)
	}
}

// reset prepares the sums of m rows.
func (s *logProbState) reset(m int) {
	for len(s.stats) < m {
		s.stats = append(s.stats, logProbStats{})
	}
	for i := range s.stats[:m] {
		s.stats[i] = logProbStats{largest: math.Inf(-1)}
	}
}

// finishLogits applies the soft cap.
func finishLogits[T Float](l *logProbLayout, row []T) {
	if l.SoftCap > 0 {
		kernel.Tanh(row, row)
		kernel.Scale(row, row, T(l.height()))
	}
}

// addLogits adds the logits of a chunk that begins at token lo to the sums. It
// returns the factor by which sums so far shrank because a larger logit came.
// Where the expectation is wanted, row becomes exp(row − largest).
func addLogits[T Float](st *logProbStats, row []T, lo int, w logProbWants) float64 {
	largest, shrink := float64(kernel.Max(row)), 1.0
	if w.logits {
		st.logits += float64(kernel.Sum(row))
	}
	if !(largest <= st.largest) { // also when NaN came
		if w.best {
			st.best = lo + kernel.ArgMax(row)
		}
		shrink = math.Exp(st.largest - largest)
		st.largest = largest
		st.exps *= shrink
		st.weighted *= shrink
		st.squares *= shrink * shrink
	}
	if !w.entropy && !w.squares && !w.expectation {
		st.exps += float64(kernel.SumExpShift(row, T(st.largest)))
		return shrink
	}
	var buf [logProbBlock]T
	for at := 0; at < len(row); at += logProbBlock {
		part := row[at:min(at+logProbBlock, len(row))]
		exps := buf[:len(part)]
		st.exps += float64(kernel.ExpShiftSum(exps, part, T(st.largest)))
		if w.entropy {
			st.weighted += float64(kernel.Dot(exps, part))
		}
		if w.squares {
			st.squares += kernel.SumSquares(exps)
		}
		if w.expectation {
			copy(part, exps)
		}
	}
	return shrink
}

// storeStats writes the results of row i.
func storeStats[T Float](c *Call, l *logProbLayout, i int, st *logProbStats) {
	lse := st.largest + math.Log(st.exps)
	for k, x := range [...]float64{
		outLogProb:    st.target - lse,
		outEntropy:    lse - st.weighted/st.exps,
		outLogSumExp:  lse,
		outSumLogProb: st.logits - float64(l.v)*lse,
		outSumSquares: st.squares / (st.exps * st.exps),
		outMeanLogit:  st.logits / float64(l.v),
	} {
		if out := Slice[T](&c.Out[k]); out != nil {
			out[i] = T(x)
		}
	}
	if out := Slice[int32](&c.Out[outArgMax]); out != nil {
		out[i] = int32(st.best)
	}
	if u := Slice[T](&c.Out[outExpectation]); u != nil {
		u = u[i*l.d : (i+1)*l.d]
		kernel.Scale(u, u, T(1/st.exps))
	}
}

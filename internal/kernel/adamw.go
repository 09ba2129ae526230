package kernel

import "math"

// AdamWCoeff holds what one AdamW step needs besides the tensors.
type AdamWCoeff struct {
	LR, Beta1, Beta2, Eps, WeightDecay float64
	// GradScale multiplies the gradient first: the clip factor, 1 for none. It
	// has no default: 0 zeroes the gradient.
	GradScale float64
	Step      int // number of this step, from 1
}

// AdamW updates parameters p and moments m, v in place from gradients g
// (Loshchilov and Hutter 2019, arXiv:1711.05101, as PyTorch computes it:
// decay first, eps after the bias correction):
//
//	g' = GradScale·g
//	p  = p·(1 - LR·WeightDecay)
//	m  = Beta1·m + (1-Beta1)·g'
//	v  = Beta2·v + (1-Beta2)·g'²
//	p  = p - LR/(1-Beta1^Step)·m / (√v/√(1-Beta2^Step) + Eps)
//
// Every operation is rounded on its own: all instruction levels give the same
// bits, and a slice may be split anywhere. g is not changed.
func AdamW[T Float](p, g, m, v []T, c AdamWCoeff) {
	mustLen("AdamW", len(p), len(g), len(m), len(v))
	k := [adamWConsts]T{
		T(1 - c.LR*c.WeightDecay), T(c.Beta1), T(1 - c.Beta1), T(c.Beta2), T(1 - c.Beta2),
		T(c.LR / (1 - math.Pow(c.Beta1, float64(c.Step)))),
		T(math.Sqrt(1 - math.Pow(c.Beta2, float64(c.Step)))), T(c.Eps), T(c.GradScale),
	}
	if is32[T]() && fastAdamW(f32(p), f32(g), f32(m), f32(v), f32(k[:])) {
		return
	}
	for i := range p {
		gi := T(k[8] * g[i])
		mi := T(k[1]*m[i]) + T(k[2]*gi)
		vi := T(k[3]*v[i]) + T(k[4]*T(gi*gi))
		root := T(math.Sqrt(float64(vi)))
		m[i], v[i] = mi, vi
		p[i] = T(k[0]*p[i]) - T(T(k[5]*mi)/T(T(root/k[6])+k[7]))
	}
}

// adamWConsts is the number of constants the assembly reads.
const adamWConsts = 9

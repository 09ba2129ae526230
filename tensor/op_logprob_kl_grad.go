package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// klInputs are the indices of the inputs of the gradient beyond those of the
// op; 0 for those it does not have.
type klInputs struct {
	lseP, lseR, kl int
	grads          [divergences]int
}

// klGradient differentiates by the policy's hidden states and head.
func klGradient(b *Backward, l klLayout) Nodes {
	var x klInputs
	in := append(Nodes(nil), b.In...)
	add := func(n *Node) int { in = append(in, n); return len(in) - 1 }
	x.lseP, x.lseR = add(b.Out[outPolicyLSE]), add(b.Out[outReferenceLSE])
	for i := range x.grads {
		if b.Grad[i] != nil {
			x.grads[i] = add(b.Grad[i])
		}
	}
	if x.grads[outPolicyToReference] > 0 {
		x.kl = add(b.Out[outPolicyToReference])
	}
	h, head := b.In[0], b.In[1]
	gs := Apply(Spec{
		Name:           "kl.grad",
		Out:            []Output{fresh(h, 0), gradientOf(head, h.Dtype())},
		Differentiable: make([]bool, len(in)),
		Kernel:         byFloat("kl", h, klGradientKernel[float32](l, x), klGradientKernel[float64](l, x)),
		Scratch:        (l.end() + l.p.m*l.p.d) * floatSize(h),
	}, in...)
	return append(gs, nil, nil, nil)
}

// klGradientKernel computes both logits again and turns the policy's into their
// gradients. Outputs are dh and dhead.
func klGradientKernel[T Float](l klLayout, x klInputs) Kernel {
	k := newKLProducts[T](l)
	differentiate := func(c *Call, lo, hi, _ int) {
		s := c.State.(*klState)
		for i := lo; i < hi; i++ {
			p, r := k.row(c, s, i)
			finishLogits(&k.r, r)
			differentiateKL(c, &k.p, x, i, p, r)
		}
	}
	scatter := func(c *Call, lo, hi, _ int) {
		dh, from := Slice[T](&c.Out[0]), scratch[T](c, k.end(), c.In[klRows].Rows()*k.p.d)
		scatterColumns(dh, from, Slice[int32](&c.In[klRows]), k.p.d, lo, hi)
	}
	return func(c *Call) {
		s, m := k.start(c), c.In[klRows].Rows()
		hidden, sums := scratch[T](c, 0, m*k.p.d), scratch[T](c, k.end(), m*k.p.d)
		for s.lo = 0; s.lo < k.p.v; s.lo += k.p.chunk {
			s.n = min(k.p.chunk, k.p.v-s.lo)
			k.run(c, s)
			c.Parallel(m, max(1, elementGrain/s.n), differentiate)
			logits := scratch[T](c, k.logitsP(), m*s.n)
			if c.Out[0].Wanted() {
				p := product[T]{M: m, N: k.p.d, K: s.n, A: logits, B: headChunk(&c.In[1], s.lo, s.n), C: sums, Alpha: k.p.slope(), Add: s.lo > 0}
				p.run(c)
			}
			if dhead := Slice[T](&c.Out[1]); dhead != nil {
				p := product[T]{M: s.n, N: k.p.d, K: m, A: logits, TransA: true, B: viewOfSlice(hidden),
					C: dhead[s.lo*k.p.d : (s.lo+s.n)*k.p.d], Alpha: k.p.slope(), Add: c.Acc[1]}
				p.run(c)
			}
		}
		if c.Out[0].Wanted() {
			c.Parallel(k.p.d, columnGrain, scatter)
		}
	}
}

// scatterColumns sets columns lo to hi of dst, of width d, to the sums of the
// rows of src that go to each row.
func scatterColumns[T Float](dst, src []T, rows []int32, d, lo, hi int) {
	clearColumns(dst, d, lo, hi)
	for i, row := range rows {
		to := dst[int(row)*d+lo : int(row)*d+hi]
		kernel.Add(to, to, src[i*d+lo:i*d+hi])
	}
}

// differentiateKL turns p, what the product left of the policy's logits of row
// i, into the gradient by it, up to the slope; r are the reference's logits.
func differentiateKL[T Float](c *Call, l *logProbLayout, x klInputs, i int, p, r []T) {
	g := func(k int) (v T) {
		if x.grads[k] > 0 {
			v = Slice[T](&c.In[x.grads[k]])[i]
		}
		return v
	}
	forward, backward := g(outPolicyToReference), g(outReferenceToPolicy)
	lseP, lseR := Slice[T](&c.In[x.lseP])[i], Slice[T](&c.In[x.lseR])[i]
	kl := T(0)
	if x.kl > 0 {
		kl = Slice[T](&c.In[x.kl])[i]
	}
	height := T(1)
	if l.SoftCap > 0 {
		kernel.Tanh(p, p)
		height = T(l.height())
	}
	var probP, probR [logProbBlock]T
	for at := 0; at < len(p); at += logProbBlock {
		part, other := p[at:min(at+logProbBlock, len(p))], r[at:min(at+logProbBlock, len(p))]
		a, b := probP[:len(part)], probR[:len(part)]
		kernel.Scale(a, part, height)
		kernel.ExpShift(a, a, lseP)
		kernel.ExpShift(b, other, lseR)
		for j, y := range part {
			ratio := (y*height - other[j]) - (lseP - lseR) // log p − log r
			d := forward*a[j]*(ratio-kl) + backward*(a[j]-b[j])
			if l.SoftCap > 0 {
				d *= 1 - y*y
			}
			part[j] = d
		}
	}
}

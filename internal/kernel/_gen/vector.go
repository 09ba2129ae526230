package main

// vectorKernels are the operations without transcendental functions. Products
// are rounded before they are added, as in the Go reference.
func vectorKernels(a *asm, v isa) {
	q := &vec{asm: a, isa: v}
	sumKernel(q)
	dotKernel(q)
	maxKernel(q)
	axpyKernel(q)
	scaleKernel(q)
	binaryKernel(q, "add", "VADDPS")
	binaryKernel(q, "mul", "VMULPS")
	scaleWeightKernel(q)
	rmsDotKernel(q)
	rmsBackwardKernel(q, true)
	rmsBackwardKernel(q, false)
	adamWKernel(q)
	widenKernel(q, bf16)
	widenKernel(q, f16)
	narrowKernels(q)
	layerNormKernels(q)
	philoxKernel(q)
	dropKernels(q)
}

// pointers loads pointer parameters and n into the registers the loops use.
func (v *vec) pointers(names ...string) []string {
	regs := []string{"DI", "SI", "DX", "BX", "R8"}[:len(names)]
	for i, name := range names {
		v.arg(name, regs[i])
	}
	v.arg("n", "CX")
	return regs
}

func (v *vec) clearLanes() { v.clearSums(lanes / v.w) }

// Registers from temp on are free in reductions.
func (v *vec) temp() int { return lanes / v.w }

func sumKernel(v *vec) {
	v.fn("Σ x[i].", "sum"+v.suffix, []string{"x *float32", "n int"}, "float32")
	ptrs := v.pointers("x")
	v.clearLanes()
	v.reduce(ptrs, func(acc, off int) {
		v.load("DI", off, v.temp())
		v.op("VADDPS", v.temp(), acc, acc)
	})
	v.fold("VADDPS")
	v.ret(0)
	v.end()
}

func dotKernel(v *vec) {
	v.fn("Σ x[i]·y[i].", "dot"+v.suffix, []string{"x *float32", "y *float32", "n int"}, "float32")
	ptrs := v.pointers("x", "y")
	v.clearLanes()
	t := v.temp()
	v.reduce(ptrs, func(acc, off int) {
		v.load("DI", off, t)
		v.load("SI", off, t+1)
		v.op("VMULPS", t+1, t, t)
		v.op("VADDPS", t, acc, acc)
	})
	v.fold("VADDPS")
	v.ret(0)
	v.end()
}

// maxKernel returns the largest element, or NaN when there is one: VMAXPS
// forgets NaN, so they are recorded apart.
func maxKernel(v *vec) {
	v.fn("the largest element, NaN when there is one.", "max"+v.suffix, []string{"x *float32", "n int"}, "float32")
	ptrs := v.pointers("x")
	for i := range lanes / v.w {
		v.set("negInf", i)
	}
	t := v.temp()
	seen := t + 1
	if v.wide() {
		v.p("KXORW K3, K3, K3")
	} else {
		v.zero(seen)
	}
	v.reduce(ptrs, func(acc, off int) {
		v.load("DI", off, t)
		if v.wide() {
			v.p("VCMPPS $3, Z%d, Z%d, K2", t, t)
			v.p("KORW K2, K3, K3")
		} else {
			v.p("VCMPPS $3, Y%d, Y%d, Y%d", t, t, t+2)
			v.op("VORPS", t+2, seen, seen)
		}
		switch {
		case v.masked && v.wide():
			v.p("VMAXPS Z%d, Z%d, K1, Z%d", t, acc, acc)
		case v.masked: // elements outside the mask become -Inf
			v.set("negInf", t+2)
			v.p("VBLENDVPS Y%d, Y%d, Y%d, Y%d", maskReg, t, t+2, t)
			v.op("VMAXPS", t, acc, acc)
		default:
			v.op("VMAXPS", t, acc, acc)
		}
	})
	v.fold("VMAXPS")
	good := v.label("good")
	if v.wide() {
		v.p("KORTESTW K3, K3")
	} else {
		v.p("VTESTPS Y%d, Y%d", seen, seen)
	}
	v.p("JZ %s", good)
	v.p("MOVL $0x7fc00000, AX")
	v.p("VMOVD AX, X0")
	v.p("%s:", good)
	v.ret(0)
	v.end()
}

func axpyKernel(v *vec) {
	v.fn("dst[i] += a·x[i].", "axpy"+v.suffix, []string{"dst *float32", "x *float32", "n int", "a float32"}, "")
	ptrs := v.pointers("dst", "x")
	v.scalar("a", 3)
	v.elements(ptrs, func() {
		v.load("SI", 0, 0)
		v.load("DI", 0, 1)
		v.op("VMULPS", 3, 0, 0)
		v.op("VADDPS", 0, 1, 1)
		v.store(1, "DI", 0)
	})
	v.end()
}

func scaleKernel(v *vec) {
	v.fn("dst[i] = a·x[i].", "scale"+v.suffix, []string{"dst *float32", "x *float32", "n int", "a float32"}, "")
	ptrs := v.pointers("dst", "x")
	v.scalar("a", 3)
	v.elements(ptrs, func() {
		v.load("SI", 0, 0)
		v.op("VMULPS", 3, 0, 0)
		v.store(0, "DI", 0)
	})
	v.end()
}

func binaryKernel(v *vec, name, op string) {
	v.fn("dst[i] = x[i] "+name+" y[i].", name+v.suffix, []string{"dst *float32", "x *float32", "y *float32", "n int"}, "")
	ptrs := v.pointers("dst", "x", "y")
	v.elements(ptrs, func() {
		v.load("SI", 0, 0)
		v.load("DX", 0, 1)
		v.op(op, 1, 0, 0)
		v.store(0, "DI", 0)
	})
	v.end()
}

func scaleWeightKernel(v *vec) {
	v.fn("dst[i] = x[i]·rstd·(w[i] + offset).", "scaleWeight"+v.suffix,
		[]string{"dst *float32", "x *float32", "w *float32", "n int", "rstd float32", "offset float32"}, "")
	ptrs := v.pointers("dst", "x", "w")
	v.scalar("rstd", 3)
	v.scalar("offset", 4)
	v.elements(ptrs, func() {
		v.load("SI", 0, 0)
		v.load("DX", 0, 1)
		v.op("VMULPS", 3, 0, 0)
		v.op("VADDPS", 4, 1, 1)
		v.op("VMULPS", 1, 0, 0)
		v.store(0, "DI", 0)
	})
	v.end()
}

func rmsDotKernel(v *vec) {
	v.fn("Σ dy[i]·(w[i] + offset)·x[i].", "rmsDot"+v.suffix,
		[]string{"dy *float32", "x *float32", "w *float32", "n int", "offset float32"}, "float32")
	ptrs := v.pointers("dy", "x", "w")
	v.clearLanes()
	t := v.temp()
	v.scalar("offset", t+2)
	v.reduce(ptrs, func(acc, off int) {
		v.load("DX", off, t)
		v.op("VADDPS", t+2, t, t)
		v.load("DI", off, t+1)
		v.op("VMULPS", t+1, t, t)
		v.load("SI", off, t+1)
		v.op("VMULPS", t+1, t, t)
		v.op("VADDPS", t, acc, acc)
	})
	v.fold("VADDPS")
	v.ret(0)
	v.end()
}

// rmsBackwardKernel is the element-wise part of RMSNormRowBackward; c holds
// rstd, offset and rstd³/n·Σ.
func rmsBackwardKernel(v *vec, weights bool) {
	name, doc := "rmsBackward", "dx[i] = dy[i]·(w[i] + c[1])·c[0] - x[i]·c[2]."
	params := []string{"dx *float32", "dy *float32", "x *float32", "w *float32", "n int", "c *[3]float32"}
	names := []string{"dx", "dy", "x", "w"}
	if weights {
		name, doc = "rmsBackwardWeight", doc+" dw[i] += dy[i]·x[i]·c[0]."
		params = append([]string{params[0], params[1], params[2], params[3], "dw *float32"}, params[4:]...)
		names = append(names, "dw")
	}
	v.fn(doc, name+v.suffix, params, "")
	ptrs := v.pointers(names...)
	v.arg("c", "AX")
	for i := range 3 {
		v.p("VBROADCASTSS %d(AX), %s", 4*i, v.r(8+i))
	}
	v.elements(ptrs, func() {
		v.load("SI", 0, 0)
		v.load("DX", 0, 1)
		v.load("BX", 0, 2)
		if weights {
			v.op("VMULPS", 8, 1, 3)
			v.op("VMULPS", 0, 3, 3)
			v.load("R8", 0, 4)
			v.op("VADDPS", 3, 4, 4)
			v.store(4, "R8", 0)
		}
		v.op("VADDPS", 9, 2, 2)
		v.op("VMULPS", 2, 0, 0)
		v.op("VMULPS", 8, 0, 0)
		v.op("VMULPS", 10, 1, 1)
		v.op("VSUBPS", 1, 0, 0)
		v.store(0, "DI", 0)
	})
	v.end()
}

// adamWKernel follows kernel.AdamW operation by operation.
func adamWKernel(v *vec) {
	v.fn("one AdamW step; c as in kernel.AdamW.", "adamW"+v.suffix,
		[]string{"p *float32", "grad *float32", "m *float32", "v *float32", "n int", "c *float32"}, "")
	ptrs := v.pointers("p", "grad", "m", "v")
	v.arg("c", "AX")
	const k = 6 // first constant register
	for i := range 9 {
		v.p("VBROADCASTSS %d(AX), %s", 4*i, v.r(k+i))
	}
	v.elements(ptrs, func() {
		v.load("SI", 0, 0)
		v.op("VMULPS", k+8, 0, 0) // g' = scale·g
		v.load("DX", 0, 1)
		v.op("VMULPS", k+1, 1, 1)
		v.op("VMULPS", k+2, 0, 2)
		v.op("VADDPS", 2, 1, 1) // m
		v.store(1, "DX", 0)
		v.op("VMULPS", 0, 0, 0)
		v.op("VMULPS", k+4, 0, 0)
		v.load("BX", 0, 2)
		v.op("VMULPS", k+3, 2, 2)
		v.op("VADDPS", 0, 2, 2) // v
		v.store(2, "BX", 0)
		v.op("VSQRTPS", 2, 2)
		v.op("VDIVPS", k+6, 2, 2)
		v.op("VADDPS", k+7, 2, 2) // √v/√bc2 + eps
		v.op("VMULPS", k+5, 1, 1)
		v.op("VDIVPS", 2, 1, 1)
		v.load("DI", 0, 0)
		v.op("VMULPS", k, 0, 0)
		v.op("VSUBPS", 1, 0, 0)
		v.store(0, "DI", 0)
	})
	v.end()
}

// widenKernel converts whole vectors; n is a multiple of the vector length.
func widenKernel(v *vec, s storage) {
	v.fn("dst[i] = float32(src[i]), n a multiple of 16.", "widen"+s.name+v.suffix,
		[]string{"dst *float32", "src *uint16", "n int"}, "")
	v.pointers("dst", "src")
	loop := v.label("loop")
	v.p("%s:", loop)
	v.widen(s, "(SI)", "", 0)
	v.p("VMOVUPS %s, (DI)", v.r(0))
	v.p("ADDQ $%d, SI", 2*v.w)
	v.p("ADDQ $%d, DI", v.bytes())
	v.p("SUBQ $%d, CX", v.w)
	v.p("JNZ %s", loop)
	v.end()
}

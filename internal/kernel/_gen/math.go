package main

// mathKernels are the functions built on exp and erf.
func mathKernels(a *asm, v isa) {
	q := &vec{asm: a, isa: v}
	expKernel(q)
	expSumKernel(q, true)
	expSumKernel(q, false)
	for _, f := range []struct {
		name string
		body func(*vec)
	}{{"sigmoid", (*vec).sigmoid}, {"tanh", (*vec).tanh}} {
		unaryKernel(q, f.name, f.body)
	}
	for _, act := range activations {
		unaryKernel(q, act.name, func(v *vec) {
			v.op("VMOVAPS", 0, 1)
			act.gate(v)
			v.op("VMULPS", 1, 0, 0)
		})
		gluKernel(q, act)
		actBackwardKernel(q, act)
		gluBackwardKernel(q, act)
	}
}

// An activation is x·s(x). gate turns register 0 from x into s(x) and may use
// registers 2 to 7; slope turns x in 1 and s in 0 into the derivative in 2 and
// may use 3 to 8.
type activation struct {
	name        string
	gate, slope func(*vec)
}

var activations = []activation{
	{"silu", (*vec).sigmoid, (*vec).siluSlope},
	{"geluTanh", (*vec).geluTanhGate, (*vec).geluTanhSlope},
	{"geluErf", (*vec).geluErfGate, (*vec).geluErfSlope},
}

// exp replaces x in reg by eˣ. It uses three registers from t on, and K2.
// Arguments below expLo give 0; NaN stays NaN.
func (v *vec) exp(reg, t int) {
	n, p, m := t, t+1, t+2
	v.set("expLo", m)
	if v.wide() {
		v.p("VCMPPS $5, %s, %s, K2", v.r(m), v.r(reg)) // not less, true for NaN
		v.op("VMAXPS", reg, m, reg)
	} else {
		v.op("VMAXPS", reg, m, p)
		v.p("VCMPPS $5, %s, %s, %s", v.r(m), v.r(reg), v.r(m))
		v.op("VMOVAPS", p, reg)
	}
	v.set("expHi", p)
	v.op("VMINPS", reg, p, reg)
	v.opc("VMULPS", "log2e", reg, n)
	if v.wide() {
		v.p("VRNDSCALEPS $8, %s, %s", v.r(n), v.r(n))
	} else {
		v.p("VROUNDPS $8, %s, %s", v.r(n), v.r(n))
	}
	v.opc("VFNMADD231PS", "ln2hi", n, reg)
	v.opc("VFNMADD231PS", "ln2lo", n, reg)
	v.set("exp5", p)
	for _, c := range []string{"exp4", "exp3", "exp2", "exp1", "exp0", "one", "one"} {
		v.opc("VFMADD213PS", c, reg, p)
	}
	if v.wide() {
		v.p("VSCALEFPS.Z %s, %s, K2, %s", v.r(n), v.r(p), v.r(reg))
		return
	}
	// p·2ⁿ in two exact steps: 2ⁿ alone may be out of range.
	v.op("VCVTPS2DQ", n, n)
	v.p("VPSRAD $1, %s, %s", v.r(n), v.r(reg))
	v.op("VPSUBD", reg, n, n)
	for _, half := range []int{reg, n} {
		v.opc("VPADDD", "bias", half, half)
		v.p("VPSLLD $23, %s, %s", v.r(half), v.r(half))
		v.op("VMULPS", half, p, p)
	}
	v.op("VANDPS", m, p, reg)
}

// sigmoid replaces x in register 0 by 1/(1 + e⁻ˣ).
func (v *vec) sigmoid() {
	v.xorSign(0)
	v.exp(0, 2)
	v.opc("VADDPS", "one", 0, 0)
	v.set("one", 2)
	v.op("VDIVPS", 0, 2, 0)
}

func (v *vec) xorSign(reg int) {
	if v.wide() {
		v.opc("VPXORD", "sign", reg, reg)
		return
	}
	v.opc("VXORPS", "sign", reg, reg)
}

func (v *vec) and(constant string, src, dst int) {
	if v.wide() {
		v.opc("VPANDD", constant, src, dst)
		return
	}
	v.opc("VANDPS", constant, src, dst)
}

// tanh replaces x in register 0: Cephes' polynomial for |x| < 0.625, else
// 1 - 2/(e²ˣ + 1) of |x| with the sign of x.
func (v *vec) tanh() {
	v.op("VMOVAPS", 0, 1)
	v.op("VMULPS", 0, 0, 5)
	v.set("tanh4", 6)
	for _, c := range []string{"tanh3", "tanh2", "tanh1", "tanh0"} {
		v.opc("VFMADD213PS", c, 5, 6)
	}
	v.op("VMULPS", 5, 6, 6)
	v.op("VFMADD213PS", 1, 1, 6) // small: x + x·z·P(z)
	v.and("abs", 0, 0)
	v.op("VMOVAPS", 0, 7)
	v.op("VADDPS", 0, 0, 0)
	v.exp(0, 2)
	v.opc("VADDPS", "one", 0, 0)
	v.set("two", 2)
	v.op("VDIVPS", 0, 2, 0)
	v.set("one", 2)
	v.op("VSUBPS", 0, 2, 0)
	v.and("sign", 1, 1)
	v.set("tanhSplit", 3)
	if v.wide() {
		v.op("VPORD", 1, 0, 0)
		v.p("VCMPPS $1, Z3, Z7, K2")
		v.p("VMOVAPS Z6, K2, Z0")
		return
	}
	v.op("VORPS", 1, 0, 0)
	v.p("VCMPPS $1, Y3, Y7, Y7")
	v.p("VBLENDVPS Y7, Y6, Y0, Y0")
}

// clampFar limits x in reg to ±100, where every gate is 0 or 1, so that powers
// of x stay finite. NaN passes.
func (v *vec) clampFar(reg, t int) {
	v.set("far", t)
	v.op("VMINPS", reg, t, reg)
	v.set("negFar", t)
	v.op("VMAXPS", reg, t, reg)
}

// siluSlope: s + x·s·(1 - s).
func (v *vec) siluSlope() {
	v.op("VMOVAPS", 1, 2)
	v.clampFar(2, 3)
	v.slopeOfSigmoid()
}

// slopeOfSigmoid turns a in register 2 into s + a·s·(1 - s).
func (v *vec) slopeOfSigmoid() {
	v.set("one", 3)
	v.op("VSUBPS", 0, 3, 3)
	v.op("VMULPS", 0, 3, 3)
	v.op("VFMADD213PS", 0, 3, 2)
}

// geluTanhGate: σ(x·(a + b·x²)).
func (v *vec) geluTanhGate() {
	v.clampFar(0, 2)
	v.op("VMULPS", 0, 0, 2)
	v.set("geluA", 3)
	v.opc("VFMADD132PS", "geluB", 3, 2)
	v.op("VMULPS", 2, 0, 0)
	v.sigmoid()
}

// geluTanhSlope: s + x·s·(1 - s)·(a + 3b·x²).
func (v *vec) geluTanhSlope() {
	v.op("VMOVAPS", 1, 2)
	v.clampFar(2, 3)
	v.op("VMULPS", 2, 2, 3)
	v.set("geluA", 4)
	v.opc("VFMADD132PS", "gelu3B", 4, 3)
	v.op("VMULPS", 3, 2, 2)
	v.slopeOfSigmoid()
}

// geluErfGate: Φ(x) = 1/2 + erf(x/√2)/2.
func (v *vec) geluErfGate() {
	v.opc("VMULPS", "invSqrt2", 0, 0)
	v.set("erfHi", 2)
	v.op("VMINPS", 0, 2, 0)
	v.set("erfLo", 2)
	v.op("VMAXPS", 0, 2, 0)
	v.op("VMULPS", 0, 0, 2)
	v.set("erfP6", 3)
	for _, c := range []string{"erfP5", "erfP4", "erfP3", "erfP2", "erfP1", "erfP0"} {
		v.opc("VFMADD213PS", c, 2, 3)
	}
	v.op("VMULPS", 0, 3, 3)
	v.set("erfQ4", 4)
	for _, c := range []string{"erfQ3", "erfQ2", "erfQ1", "erfQ0"} {
		v.opc("VFMADD213PS", c, 2, 4)
	}
	v.op("VDIVPS", 4, 3, 0)
	v.set("half", 2)
	v.op("VFMADD213PS", 2, 2, 0)
}

// geluErfSlope: Φ(x) + x·e^(-x²/2)/√(2π).
func (v *vec) geluErfSlope() {
	v.op("VMOVAPS", 1, 2)
	v.clampFar(2, 3)
	v.op("VMULPS", 2, 2, 3)
	v.opc("VMULPS", "negHalf", 3, 3)
	v.exp(3, 4)
	v.opc("VMULPS", "invSqrt2Pi", 3, 3)
	v.op("VFMADD213PS", 0, 3, 2)
}

func expKernel(v *vec) {
	v.fn("dst[i] = exp(x[i] - shift).", "expShift"+v.suffix, []string{"dst *float32", "x *float32", "n int", "shift float32"}, "")
	ptrs := v.pointers("dst", "x")
	v.scalar("shift", 8)
	v.elements(ptrs, func() {
		v.load("SI", 0, 0)
		v.op("VSUBPS", 8, 0, 0)
		v.exp(0, 1)
		v.store(0, "DI", 0)
	})
	v.end()
}

// expSumKernel also returns the sum. Elements outside the mask of the last
// vector are cleared before they are added.
func expSumKernel(v *vec, keep bool) {
	name, params, names := "sumExp", []string{"x *float32", "n int", "shift float32"}, []string{"x"}
	from := "DI"
	if keep {
		name, params, names = "expSum", append([]string{"dst *float32"}, params...), []string{"dst", "x"}
		from = "SI"
	}
	v.fn("Σ exp(x[i] - shift), the terms stored in dst if there is one.", name+v.suffix, params, "float32")
	ptrs := v.pointers(names...)
	v.clearLanes()
	t := v.temp()
	v.scalar("shift", t+4)
	v.reduce(ptrs, func(acc, off int) {
		v.load(from, off, t)
		v.op("VSUBPS", t+4, t, t)
		v.exp(t, t+1)
		if keep {
			v.store(t, "DI", off)
		}
		switch {
		case v.masked && v.wide():
			v.p("VADDPS Z%d, Z%d, K1, Z%d", t, acc, acc)
			return
		case v.masked:
			v.op("VANDPS", maskReg, t, t)
		}
		v.op("VADDPS", t, acc, acc)
	})
	v.fold("VADDPS")
	v.ret(0)
	v.end()
}

func unaryKernel(v *vec, name string, body func(*vec)) {
	v.fn("dst[i] = "+name+"(x[i]).", name+v.suffix, []string{"dst *float32", "x *float32", "n int"}, "")
	ptrs := v.pointers("dst", "x")
	v.elements(ptrs, func() {
		v.load("SI", 0, 0)
		body(v)
		v.store(0, "DI", 0)
	})
	v.end()
}

func gluKernel(v *vec, act activation) {
	v.fn("dst[i] = "+act.name+"(gate[i])·up[i].", act.name+"GLU"+v.suffix, []string{"dst *float32", "gate *float32", "up *float32", "n int"}, "")
	ptrs := v.pointers("dst", "gate", "up")
	v.elements(ptrs, func() {
		v.load("SI", 0, 0)
		v.op("VMOVAPS", 0, 1)
		act.gate(v)
		v.op("VMULPS", 1, 0, 0)
		v.load("DX", 0, 1)
		v.op("VMULPS", 1, 0, 0)
		v.store(0, "DI", 0)
	})
	v.end()
}

func actBackwardKernel(v *vec, act activation) {
	v.fn("dx[i] = dy[i]·"+act.name+"'(x[i]).", act.name+"Backward"+v.suffix, []string{"dx *float32", "dy *float32", "x *float32", "n int"}, "")
	ptrs := v.pointers("dx", "dy", "x")
	v.elements(ptrs, func() {
		v.load("DX", 0, 0)
		v.op("VMOVAPS", 0, 1)
		act.gate(v)
		act.slope(v)
		v.load("SI", 0, 0)
		v.op("VMULPS", 2, 0, 0)
		v.store(0, "DI", 0)
	})
	v.end()
}

func gluBackwardKernel(v *vec, act activation) {
	v.fn("dgate[i] = dy[i]·up[i]·"+act.name+"'(gate[i]), dup[i] = dy[i]·"+act.name+"(gate[i]).", act.name+"GLUBackward"+v.suffix,
		[]string{"dgate *float32", "dup *float32", "dy *float32", "gate *float32", "up *float32", "n int"}, "")
	ptrs := v.pointers("dgate", "dup", "dy", "gate", "up")
	v.elements(ptrs, func() {
		v.load("BX", 0, 0)
		v.op("VMOVAPS", 0, 1)
		act.gate(v)
		act.slope(v)
		v.op("VMULPS", 1, 0, 0)
		v.load("DX", 0, 3)
		v.load("R8", 0, 4)
		v.op("VMULPS", 3, 0, 0)
		v.op("VMULPS", 4, 3, 3)
		v.op("VMULPS", 2, 3, 3)
		v.store(3, "DI", 0)
		v.store(0, "SI", 0)
	})
	v.end()
}

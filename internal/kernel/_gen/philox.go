package main

// philoxKernel fills dst with uniform numbers: n groups of w blocks of the
// generator, four numbers a block, in the order of the blocks. keys are the two
// key words of each round, ctr the counter of the first block, lanes the block
// that each element of a register works on; the low counter word must not
// overflow.
//
// Registers 0 to 3 hold the counter words of w blocks. Block 4j + q of a group
// (2j + q with avx2) sits in element j of the q-th 128 bits, so that a
// transposition inside of 128 bits puts the words in order.
func philoxKernel(v *vec) {
	v.fn("dst = uniform numbers of n groups of Philox blocks.", "philox"+v.suffix,
		[]string{"dst *float32", "keys *[20]uint32", "ctr *[4]uint32", "lanes *[16]uint32", "n int"}, "")
	v.pointers("dst", "keys", "ctr", "lanes")
	const m0, m1, base = 10, 11, 12
	v.set("philoxM0", m0)
	v.set("philoxM1", m1)
	v.p("VPBROADCASTD (DX), %s", v.r(base))
	if v.wide() {
		v.p("VPADDD (BX), Z%d, Z%d", base, base)
		v.p("MOVL $0xaaaa, AX")
		v.p("KMOVW AX, K2")
	} else {
		v.p("VPADDD (BX), Y%d, Y%d", base, base)
	}
	loop := v.label("loop")
	v.p("PCALIGN $32")
	v.p("%s:", loop)
	v.move(base, 0)
	for i := 1; i < 4; i++ {
		v.p("VPBROADCASTD %d(DX), %s", 4*i, v.r(i))
	}
	c := []int{0, 1, 2, 3}
	free := []int{4, 5, 6, 7, 8, 9}
	for round := range 10 {
		c, free = v.philoxRound(round, c, free, m0, m1)
	}
	v.uniform(c)
	v.transposeStore(c, free)
	v.opc("VPADDD", map[bool]string{true: "sixteen", false: "eight"}[v.wide()], base, base)
	v.p("ADDQ $%d, DI", 4*v.bytes())
	v.p("DECQ CX")
	v.p("JNZ %s", loop)
	v.end()
}

func (v *vec) move(src, dst int) { v.p("VMOVUPS %s, %s", v.r(src), v.r(dst)) }

// philoxRound computes one round on the registers c and returns where its
// result is and which registers are free then.
func (v *vec) philoxRound(round int, c, free []int, m0, m1 int) (next, spare []int) {
	v.wideProduct(c[0], m0, free[0], free[1])
	v.wideProduct(c[2], m1, free[2], free[3])
	v.xorKey(8*round, c[1], free[4])
	v.xor(c[2], c[1])
	v.xorKey(8*round+4, c[3], free[4])
	v.xor(c[0], c[3])
	return []int{c[1], free[3], c[3], free[1]}, []int{c[0], c[2], free[0], free[2], free[4], free[5]}
}

// wideProduct multiplies the 32-bit words of x by those of m: the high halves
// of the products replace x, the low halves are in low.
func (v *vec) wideProduct(x, m, odd, low int) {
	v.p("VPSRLQ $32, %s, %s", v.r(x), v.r(odd))
	v.op("VPMULUDQ", m, x, low)
	v.op("VPMULUDQ", m, odd, odd)
	// low and odd hold the products of words of even and of odd index.
	if v.wide() {
		v.op("VMOVSHDUP", low, x)
		v.p("VMOVSLDUP Z%d, K2, Z%d", odd, low)
		v.p("VMOVDQA32 Z%d, K2, Z%d", odd, x)
		return
	}
	v.p("VPSRLQ $32, Y%d, Y%d", low, x)
	v.p("VPBLENDD $0xaa, Y%d, Y%d, Y%d", odd, x, x)
	v.p("VPSLLQ $32, Y%d, Y%d", odd, odd)
	v.p("VPBLENDD $0xaa, Y%d, Y%d, Y%d", odd, low, low)
}

func (v *vec) xor(src, dst int) {
	if v.wide() {
		v.op("VPXORD", src, dst, dst)
		return
	}
	v.op("VPXOR", src, dst, dst)
}

// xorKey xors a word of the key schedule into a register.
func (v *vec) xorKey(off, reg, spare int) {
	if v.wide() {
		v.p("VPXORD.BCST %d(SI), Z%d, Z%d", off, reg, reg)
		return
	}
	v.p("VPBROADCASTD %d(SI), Y%d", off, spare)
	v.xor(spare, reg)
}

// uniform turns words into numbers in [0, 1): their upper 24 bits.
func (v *vec) uniform(c []int) {
	for _, r := range c {
		v.p("VPSRLD $8, %s, %s", v.r(r), v.r(r))
		v.op("VCVTDQ2PS", r, r)
		v.opc("VMULPS", "unit24", r, r)
	}
}

// transposeStore stores the four words of each block side by side.
func (v *vec) transposeStore(c, free []int) {
	a, b, d, e := free[0], free[1], free[2], free[3]
	v.op("VUNPCKLPS", c[1], c[0], a)
	v.op("VUNPCKHPS", c[1], c[0], b)
	v.op("VUNPCKLPS", c[3], c[2], d)
	v.op("VUNPCKHPS", c[3], c[2], e)
	for i, op := range []struct {
		name        string
		left, right int
	}{{"VUNPCKLPD", a, d}, {"VUNPCKHPD", a, d}, {"VUNPCKLPD", b, e}, {"VUNPCKHPD", b, e}} {
		v.op(op.name, op.right, op.left, c[0])
		v.store(c[0], "DI", i*v.bytes())
	}
}

// dropKernels keep the elements whose number is at least p.
func dropKernels(v *vec) {
	params := []string{"dst *float32", "x *float32", "u *float32", "n int", "p float32", "scale float32"}
	for _, add := range []bool{false, true} {
		if add {
			v.fn("dst[i] += scale·x[i] where u[i] ≥ p.", "dropAdd"+v.suffix, params, "")
		} else {
			v.fn("dst[i] = scale·x[i] where u[i] ≥ p, else 0.", "drop"+v.suffix, params, "")
		}
		ptrs := v.pointers("dst", "x", "u")
		v.scalar("p", 4)
		v.scalar("scale", 5)
		v.elements(ptrs, func() {
			v.load("SI", 0, 0)
			v.load("DX", 0, 1)
			if add {
				v.load("DI", 0, 2)
			}
			v.dropVector(add)
		})
		v.end()
	}
}

// dropVector handles one vector: x in register 0, numbers in 1, dst in 2.
func (v *vec) dropVector(add bool) {
	if v.wide() {
		v.p("VCMPPS $29, Z4, Z1, K2")
		if add {
			v.op("VMULPS", 5, 0, 0)
			v.p("VADDPS Z0, Z2, K2, Z2")
			v.store(2, "DI", 0)
			return
		}
		v.p("VMULPS.Z Z5, Z0, K2, Z0")
		v.store(0, "DI", 0)
		return
	}
	v.p("VCMPPS $29, Y4, Y1, Y1")
	v.op("VMULPS", 5, 0, 0)
	if add {
		v.op("VADDPS", 0, 2, 0)
		v.p("VBLENDVPS Y1, Y0, Y2, Y0")
	} else {
		v.op("VANDPS", 1, 0, 0)
	}
	v.store(0, "DI", 0)
}

package main

import "fmt"

// isa is a vector instruction set.
type isa struct {
	name   string
	w      int    // floats a register
	prefix string // of a register
	suffix string // of function names
}

var (
	avx2   = isa{"avx2", 8, "Y", "AVX2"}
	avx512 = isa{"avx512", 16, "Z", "AVX512"}
)

func (v isa) wide() bool     { return v.w == 16 }
func (v isa) bytes() int     { return 4 * v.w }
func (v isa) r(i int) string { return fmt.Sprintf("%s%d", v.prefix, i) }

// vec emits vector code for one instruction set. While masked is set, loads
// and stores touch only the elements selected by K1 or by register maskReg.
type vec struct {
	*asm
	isa
	masked bool
}

const maskReg = 15 // avx2: the mask of the last, partial vector

// op emits an instruction on registers, destination last.
func (v *vec) op(name string, regs ...int) {
	s := name + " "
	for i, r := range regs {
		if i > 0 {
			s += ", "
		}
		s += v.r(r)
	}
	v.p("%s", s)
}

// opc emits an instruction whose first operand is a constant of the table.
func (v *vec) opc(name, constant string, regs ...int) {
	suffix := ""
	if v.wide() {
		suffix = ".BCST"
	}
	s := fmt.Sprintf("%s%s ·constants+%d(SB)", name, suffix, constOffset(constant))
	for _, r := range regs {
		s += ", " + v.r(r)
	}
	v.p("%s", s)
}

// set broadcasts a constant of the table.
func (v *vec) set(constant string, reg int) {
	v.p("VBROADCASTSS ·constants+%d(SB), %s", constOffset(constant), v.r(reg))
}

func (v *vec) zero(reg int) {
	if v.wide() {
		v.op("VPXORQ", reg, reg, reg)
		return
	}
	v.op("VXORPS", reg, reg, reg)
}

func (v *vec) load(ptr string, off, reg int) {
	switch {
	case !v.masked:
		v.p("VMOVUPS %d(%s), %s", off, ptr, v.r(reg))
	case v.wide():
		v.p("VMOVUPS.Z %d(%s), K1, %s", off, ptr, v.r(reg))
	default:
		v.p("VMASKMOVPS %d(%s), %s, %s", off, ptr, v.r(maskReg), v.r(reg))
	}
}

func (v *vec) store(reg int, ptr string, off int) {
	switch {
	case !v.masked:
		v.p("VMOVUPS %s, %d(%s)", v.r(reg), off, ptr)
	case v.wide():
		v.p("VMOVUPS %s, K1, %d(%s)", v.r(reg), off, ptr)
	default:
		v.p("VMASKMOVPS %s, %s, %d(%s)", v.r(reg), v.r(maskReg), off, ptr)
	}
}

// tailMask makes the mask of the CX < w last elements. It uses AX.
func (v *vec) tailMask() {
	if v.wide() {
		v.p("MOVL $0xffff, AX")
		v.p("BZHIL CX, AX, AX")
		v.p("KMOVW AX, K1")
		return
	}
	v.p("LEAQ ·constants+%d(SB), AX", constOffset("mask")+64)
	v.p("SHLQ $2, CX")
	v.p("SUBQ CX, AX")
	v.p("VMOVUPS (AX), %s", v.r(maskReg))
}

// elements loops over CX elements: whole vectors, then the rest under a mask.
// body handles one vector at the pointers, which advance by one vector.
func (v *vec) elements(ptrs []string, body func()) {
	loop, tail, done := v.label("loop"), v.label("tail"), v.label("done")
	v.p("SUBQ $%d, CX", v.w)
	v.p("JLT %s", tail)
	v.p("PCALIGN $32")
	v.p("%s:", loop)
	body()
	for _, q := range ptrs {
		v.p("ADDQ $%d, %s", v.bytes(), q)
	}
	v.p("SUBQ $%d, CX", v.w)
	v.p("JGE %s", loop)
	v.p("%s:", tail)
	v.p("ADDQ $%d, CX", v.w)
	v.p("JZ %s", done)
	v.tailMask()
	v.masked = true
	body()
	v.masked = false
	v.p("%s:", done)
}

// lanes is the number of running sums of a reduction, as in the reference.
const lanes = 64

// reduce loops over CX elements with 64 running values in registers
// 0..64/w-1; element i goes to lane i mod 64. body(acc, off) handles one
// vector at byte offset off of the pointers.
func (v *vec) reduce(ptrs []string, body func(acc, off int)) {
	n := lanes / v.w
	loop, rest, done := v.label("loop"), v.label("rest"), v.label("done")
	v.p("SUBQ $%d, CX", lanes)
	v.p("JLT %s", rest)
	v.p("PCALIGN $32")
	v.p("%s:", loop)
	for u := range n {
		body(u, u*v.bytes())
	}
	for _, q := range ptrs {
		v.p("ADDQ $%d, %s", 4*lanes, q)
	}
	v.p("SUBQ $%d, CX", lanes)
	v.p("JGE %s", loop)
	v.p("%s:", rest)
	v.p("ADDQ $%d, CX", lanes)
	v.p("JZ %s", done)
	for u := range n {
		tail := v.label("tail")
		next := v.label("next")
		v.p("CMPQ CX, $%d", v.w)
		v.p("JLT %s", tail)
		body(u, 0)
		for _, q := range ptrs {
			v.p("ADDQ $%d, %s", v.bytes(), q)
		}
		v.p("SUBQ $%d, CX", v.w)
		v.p("JZ %s", done)
		v.p("JMP %s", next)
		v.p("%s:", tail)
		v.tailMask()
		v.masked = true
		body(u, 0)
		v.masked = false
		v.p("JMP %s", done)
		v.p("%s:", next)
	}
	v.p("%s:", done)
}

// fold reduces registers 0..64/w-1 to element 0 of register 0 by halves.
func (v *vec) fold(op string) {
	for n := lanes / v.w / 2; n > 0; n /= 2 {
		for i := range n {
			v.op(op, i+n, i, i)
		}
	}
	v.foldOne(op, 0, 1)
}

// foldOne reduces one register to its element 0, by halves, using a spare one.
func (v *vec) foldOne(op string, reg, spare int) {
	if v.wide() {
		v.p("VEXTRACTF64X4 $1, Z%d, Y%d", reg, spare)
		v.p("%s Y%d, Y%d, Y%d", op, spare, reg, reg)
		v.p("VEXTRACTF32X4 $1, Y%d, X%d", reg, spare)
	} else {
		v.p("VEXTRACTF128 $1, Y%d, X%d", reg, spare)
	}
	v.p("%s X%d, X%d, X%d", op, spare, reg, reg)
	v.p("VPERMILPS $0x4e, X%d, X%d", reg, spare)
	v.p("%s X%d, X%d, X%d", op, spare, reg, reg)
	v.p("VPERMILPS $0xb1, X%d, X%d", reg, spare)
	v.p("%s X%d, X%d, X%d", op, spare, reg, reg)
}

// scalar broadcasts a float32 parameter.
func (v *vec) scalar(param string, reg int) {
	v.p("VBROADCASTSS %s+%d(FP), %s", param, v.offset[param], v.r(reg))
}

// ret stores element 0 of a register as the result.
func (v *vec) ret(reg int) { v.p("VMOVSS X%d, ret+%d(FP)", reg, v.offset["ret"]) }

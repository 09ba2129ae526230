package main

import "fmt"

// Offsets of kernel.thinCall.
const (
	thinW     = 0 // four row pointers
	thinX     = 32
	thinLDX   = 40
	thinK     = 48
	thinOut   = 56
	thinRestW = 64 // avx2, 16-bit: the rest of the rows, padded to 16 with zeros
	thinRestX = 72
	thinAhead = 80 // distance of prefetching in bytes
)

// thinKernels are products of four rows of W with one, two or four rows of A.
func thinKernels(a *asm, v isa) {
	batches := []int{1}
	if v.wide() {
		batches = []int{1, 2, 4}
	}
	for _, s := range []storage{f32, bf16, f16} {
		for _, n := range batches {
			thinKernel(&vec{asm: a, isa: v}, s, n)
		}
	}
}

var thinRowRegs = []string{"R8", "R9", "R10", "R11"}

// thinKernel keeps 16 running sums for each of 4·n products: one register on
// avx512, two on avx2. Where rows have no whole vector left the rest is read
// under a mask; avx2 cannot do that with 16-bit rows and finds padded copies.
func thinKernel(v *vec, s storage, n int) {
	v.fn(fmt.Sprintf("out[i*4+r] = row i of A times row r of W, %d rows of A.", n),
		fmt.Sprintf("thin%s%dx%s", s.name, n, v.suffix), []string{"t *thinCall"}, "")
	v.arg("t", "AX")
	for r, reg := range thinRowRegs {
		v.p("MOVQ %d(AX), %s", thinW+8*r, reg)
	}
	v.p("MOVQ %d(AX), DI", thinX)
	v.p("MOVQ %d(AX), R12", thinLDX)
	v.p("MOVQ %d(AX), CX", thinK)
	v.p("MOVQ %d(AX), DX", thinOut)
	v.p("LEAQ (DI)(R12*1), SI")
	v.p("LEAQ (DI)(R12*2), R13")
	v.p("LEAQ (R13)(R12*1), R14")
	v.p("MOVQ %d(AX), R12", thinAhead)
	v.p("XORQ BX, BX")
	parts := 16 / v.w
	v.clearSums(4 * n * parts)
	loop, tail, done := v.label("loop"), v.label("tail"), v.label("done")
	v.p("SUBQ $16, CX")
	v.p("JLT %s", tail)
	v.p("PCALIGN $32")
	v.p("%s:", loop)
	for _, reg := range thinRowRegs {
		v.p("PREFETCHT0 (%s)(R12*1)", reg)
	}
	for part := range parts {
		v.thinStep(s, n, part, "")
	}
	v.p("ADDQ $16, BX")
	v.p("ADDQ $%d, R12", 16*s.bytes)
	v.p("SUBQ $16, CX")
	v.p("JGE %s", loop)
	v.p("%s:", tail)
	v.p("ADDQ $16, CX")
	v.p("JZ %s", done)
	v.thinTail(s, n, done)
	v.p("%s:", done)
	for i := range n {
		for r := range 4 {
			acc := (i*4 + r) * parts
			if parts == 2 {
				v.op("VADDPS", acc+1, acc, acc)
			}
			v.foldOne("VADDPS", acc, v.thinSpare())
			v.p("VMOVSS X%d, %d(DX)", acc, 4*(i*4+r))
		}
	}
	v.end()
}

func (v *vec) thinSpare() int {
	if v.wide() {
		return 31
	}
	return 13
}

// thinStep adds one vector of each product.
func (v *vec) thinStep(s storage, n, part int, mask string) {
	parts := 16 / v.w
	w := 4 * n * parts // registers of the four rows, then of A
	x := w + 4
	if !v.wide() {
		x = 12
	}
	for r, reg := range thinRowRegs {
		v.widen(s, fmt.Sprintf("%d(%s)(BX*%d)", part*v.w*s.bytes, reg, s.bytes), mask, w+r)
	}
	for i := range n {
		base := []string{"(DI)(BX*4)", "(SI)(BX*4)", "(R13)(BX*4)", "(R14)(BX*4)"}[i]
		v.widen(f32, fmt.Sprintf("%d%s", part*v.bytes(), base), mask, x+i%2)
		for r := range 4 {
			v.op("VFMADD231PS", x+i%2, w+r, (i*4+r)*parts+part)
		}
	}
}

// thinTail adds the last, partial vectors.
func (v *vec) thinTail(s storage, n int, done string) {
	if v.wide() {
		v.tailMask()
		v.thinStep(s, n, 0, "K1")
		return
	}
	if s != f32 {
		for r, reg := range thinRowRegs {
			v.p("MOVQ %d(AX), %s", thinRestW, reg)
			v.p("ADDQ $%d, %s", 32*r, reg)
		}
		v.p("MOVQ %d(AX), DI", thinRestX)
		v.p("XORQ BX, BX")
		v.thinStep(s, n, 0, "")
		v.thinStep(s, n, 1, "")
		return
	}
	v.thinMask("CX")
	v.thinStep(s, n, 0, v.r(maskReg))
	v.p("SUBQ $8, CX")
	v.p("JLE %s", done)
	v.thinMask("CX")
	v.thinStep(s, n, 1, v.r(maskReg))
}

// thinMask makes a mask of min(count, 8) elements for avx2; the table has 16
// words of ones, so up to 16 may be asked for.
func (v *vec) thinMask(count string) {
	v.p("MOVQ %s, SI", count)
	v.p("SHLQ $2, SI")
	v.p("LEAQ ·constants+%d(SB), AX", constOffset("mask")+64)
	v.p("SUBQ SI, AX")
	v.p("VMOVUPS (AX), %s", v.r(maskReg))
}

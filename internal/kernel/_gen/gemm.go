package main

import "fmt"

// Offsets of kernel.microCall.
const (
	callA, callB, callC = 0, 8, 16
	callK               = 24
	callARow, callAK    = 32, 40
	callBK, callLDC     = 48, 56
	callAlpha, callAcc  = 64, 68
	callMask, callLanes = 72, 80
)

// tile returns the rows and vectors of the full micro-kernel.
func (v isa) tile() (rows, vectors int) {
	if v.wide() {
		return 14, 2 // 28 sums, 2 of B, 2 broadcasts of 32 registers
	}
	return 6, 2 // 12 sums, 2 of B, 2 broadcasts of 16 registers
}

// edgeRows are the row counts of the general kernels; any count is a sum.
func (v isa) edgeRows() []int {
	if v.wide() {
		return []int{14, 8, 4, 2, 1}
	}
	return []int{6, 4, 2, 1}
}

func microKernels(a *asm, v isa) {
	packedKernel(&vec{asm: a, isa: v})
	for _, rows := range v.edgeRows() {
		for vectors := 1; vectors <= 2; vectors++ {
			generalKernel(&vec{asm: a, isa: v}, rows, vectors)
		}
	}
}

// packedKernel is the full tile on packed operands, unrolled by four.
func packedKernel(v *vec) {
	rows, vectors := v.tile()
	v.fn("a full tile of C from packed operands.", "microPacked"+v.suffix, []string{"t *microCall"}, "")
	v.arg("t", "AX")
	v.p("MOVQ %d(AX), SI", callA)
	v.p("MOVQ %d(AX), DI", callB)
	v.p("MOVQ %d(AX), DX", callC)
	v.p("MOVQ %d(AX), CX", callK)
	v.p("MOVQ %d(AX), R8", callLDC)
	v.p("SHLQ $2, R8")
	v.p("MOVQ DX, R9")
	for range rows {
		v.p("PREFETCHT0 (R9)")
		v.p("PREFETCHT0 %d(R9)", vectors*v.bytes()-1)
		v.p("ADDQ R8, R9")
	}
	v.clearSums(rows * vectors)
	const unroll = 4
	step := func(u int) {
		b := rows * vectors
		for j := range vectors {
			v.load("DI", (u*vectors+j)*v.bytes(), b+j)
		}
		for r := range rows {
			x := b + vectors + r%2
			v.p("VBROADCASTSS %d(SI), %s", (u*rows+r)*4, v.r(x))
			for j := range vectors {
				v.op("VFMADD231PS", b+j, x, r*vectors+j)
			}
		}
	}
	loop, tail, rest, done := v.label("loop"), v.label("tail"), v.label("rest"), v.label("done")
	v.p("SUBQ $%d, CX", unroll)
	v.p("JLT %s", tail)
	v.p("PCALIGN $64")
	v.p("%s:", loop)
	for u := range unroll {
		step(u)
	}
	v.p("ADDQ $%d, SI", unroll*rows*4)
	v.p("ADDQ $%d, DI", unroll*vectors*v.bytes())
	v.p("SUBQ $%d, CX", unroll)
	v.p("JGE %s", loop)
	v.p("%s:", tail)
	v.p("ADDQ $%d, CX", unroll)
	v.p("JZ %s", done)
	v.p("%s:", rest)
	step(0)
	v.p("ADDQ $%d, SI", rows*4)
	v.p("ADDQ $%d, DI", vectors*v.bytes())
	v.p("DECQ CX")
	v.p("JNZ %s", rest)
	v.p("%s:", done)
	v.storeTile(rows, vectors, false)
}

func (v *vec) clearSums(n int) {
	for i := range n {
		v.zero(i)
	}
}

// generalKernel is a partial tile on operands with any strides. The columns
// are masked, so nothing outside the operands is touched.
func generalKernel(v *vec, rows, vectors int) {
	v.fn(fmt.Sprintf("%d rows of C, columns masked, any strides.", rows),
		fmt.Sprintf("micro%dx%d%s", rows, vectors, v.suffix), []string{"t *microCall"}, "")
	v.arg("t", "AX")
	v.p("MOVQ %d(AX), SI", callA)
	v.p("MOVQ %d(AX), DI", callB)
	v.p("MOVQ %d(AX), CX", callK)
	for _, s := range []struct {
		off int
		reg string
	}{{callARow, "R8"}, {callBK, "R9"}, {callAK, "R13"}} {
		v.p("MOVQ %d(AX), %s", s.off, s.reg)
		v.p("SHLQ $2, %s", s.reg)
	}
	v.p("LEAQ (R8)(R8*2), R10")
	v.p("LEAQ (R8)(R8*4), R11")
	v.p("LEAQ (R10)(R8*4), R12")
	v.p("LEAQ (SI)(R8*8), BX")
	v.columnMasks(vectors)
	v.clearSums(rows * vectors)
	loop := v.label("loop")
	v.p("PCALIGN $32")
	v.p("%s:", loop)
	b := rows * vectors
	for j := range vectors {
		v.loadColumns("DI", j, b+j, b+vectors)
	}
	v.p("PREFETCHT0 (DI)(R9*8)")
	for r := range rows {
		x := b + vectors + r%2
		v.p("VBROADCASTSS %s, %s", rowAddress(r), v.r(x))
		for j := range vectors {
			v.op("VFMADD231PS", b+j, x, r*vectors+j)
		}
	}
	v.p("ADDQ R13, SI")
	v.p("ADDQ R13, BX")
	v.p("ADDQ R9, DI")
	v.p("DECQ CX")
	v.p("JNZ %s", loop)
	v.p("MOVQ %d(AX), DX", callC)
	v.p("MOVQ %d(AX), R8", callLDC)
	v.p("SHLQ $2, R8")
	v.storeTile(rows, vectors, true)
}

// rowAddress is row r of A: SI and BX stand at rows 0 and 8, R8, R10, R11, R12
// hold 1, 3, 5 and 7 strides.
func rowAddress(r int) string {
	base := "(SI)"
	if r >= 8 {
		base, r = "(BX)", r-8
	}
	return base + []string{"", "(R8*1)", "(R8*2)", "(R10*1)", "(R8*4)", "(R11*1)", "(R10*2)", "(R12*1)"}[r]
}

// columnMasks prepares the masks of the call's columns: K1 and K2, or on avx2
// their address in DX.
func (v *vec) columnMasks(vectors int) {
	if !v.wide() {
		v.p("MOVQ %d(AX), DX", callLanes)
		return
	}
	v.p("MOVQ %d(AX), DX", callMask)
	v.p("KMOVW DX, K1")
	if vectors > 1 {
		v.p("SHRQ $16, DX")
		v.p("KMOVW DX, K2")
	}
}

// loadColumns loads vector j of a row under its mask.
func (v *vec) loadColumns(ptr string, j, reg, spare int) {
	if v.wide() {
		v.p("VMOVUPS.Z %d(%s), K%d, %s", j*64, ptr, j+1, v.r(reg))
		return
	}
	v.p("VMOVUPS %d(DX), %s", j*32, v.r(spare))
	v.p("VMASKMOVPS %d(%s), %s, %s", j*32, ptr, v.r(spare), v.r(reg))
}

// storeTile writes alpha times the sums to C at DX with row stride R8, or adds
// them with one rounding.
func (v *vec) storeTile(rows, vectors int, masked bool) {
	n := rows * vectors
	alpha, c, mask := n, n+1, n+2
	store, done := v.label("store"), v.label("done")
	v.p("VBROADCASTSS %d(AX), %s", callAlpha, v.r(alpha))
	v.p("MOVL %d(AX), CX", callAcc)
	if masked && !v.wide() {
		v.p("MOVQ %d(AX), R9", callLanes)
	}
	row := func(r int, add bool) {
		for j := range vectors {
			acc, off := r*vectors+j, j*v.bytes()
			if masked && !v.wide() {
				v.p("VMOVUPS %d(R9), %s", off, v.r(mask))
			}
			switch {
			case !add:
				v.op("VMULPS", alpha, acc, acc)
			case masked && v.wide():
				v.p("VMOVUPS.Z %d(DX), K%d, %s", off, j+1, v.r(c))
				v.op("VFMADD213PS", c, alpha, acc)
			case masked:
				v.p("VMASKMOVPS %d(DX), %s, %s", off, v.r(mask), v.r(c))
				v.op("VFMADD213PS", c, alpha, acc)
			default:
				v.p("VFMADD213PS %d(DX), %s, %s", off, v.r(alpha), v.r(acc))
			}
			switch {
			case masked && v.wide():
				v.p("VMOVUPS %s, K%d, %d(DX)", v.r(acc), j+1, off)
			case masked:
				v.p("VMASKMOVPS %s, %s, %d(DX)", v.r(acc), v.r(mask), off)
			default:
				v.p("VMOVUPS %s, %d(DX)", v.r(acc), off)
			}
		}
		if r < rows-1 {
			v.p("ADDQ R8, DX")
		}
	}
	v.p("TESTL CX, CX")
	v.p("JZ %s", store)
	for r := range rows {
		row(r, true)
	}
	v.p("JMP %s", done)
	v.p("%s:", store)
	for r := range rows {
		row(r, false)
	}
	v.p("%s:", done)
	v.end()
}

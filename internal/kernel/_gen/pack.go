package main

import "fmt"

// storage is how an operand is stored in memory.
type storage struct {
	name  string
	bytes int
}

var (
	f32  = storage{"F32", 4}
	bf16 = storage{"BF16", 2}
	f16  = storage{"F16", 2}
)

// widen loads a vector of a stored operand as float32. Masked loads of 16-bit
// operands exist on avx512 only.
func (v *vec) widen(s storage, mem string, mask string, reg int) {
	z, k := "", ""
	if mask != "" && v.wide() {
		z, k = ".Z", mask+", "
	}
	switch {
	case s == f32 && mask != "" && !v.wide():
		v.p("VMASKMOVPS %s, %s, %s", mem, mask, v.r(reg))
	case s == f32:
		v.p("VMOVUPS%s %s, %s%s", z, mem, k, v.r(reg))
	case s == bf16:
		v.p("VPMOVZXWD%s %s, %s%s", z, mem, k, v.r(reg))
		v.p("VPSLLD $16, %s, %s", v.r(reg), v.r(reg))
	case s == f16:
		v.p("VCVTPH2PS%s %s, %s%s", z, mem, k, v.r(reg))
	}
}

func packKernels(a *asm, v isa) {
	rows, vectors := v.tile()
	for _, s := range []storage{f32, bf16, f16} {
		transposeKernel(&vec{asm: a, isa: v}, s)
		copyKernel(&vec{asm: a, isa: v}, "packColumns", s, vectors, vectors*v.bytes())
	}
	copyKernel(&vec{asm: a, isa: v}, "packRows", f32, 1, rows*4)
}

// transposeKernel copies w rows, given by pointers, so that elements of one k
// become neighbours: dst[k·stride + r] = rows[r][k]. All w floats of each k
// are stored; with a smaller stride the next k overwrites the surplus.
func transposeKernel(v *vec, s storage) {
	v.fn("dst[k*stride+r] = rows[r][k], stride in bytes.", "packTranspose"+s.name+v.suffix,
		[]string{"rows *[16]unsafe.Pointer", "dst *float32", "stride int", "k int"}, "")
	v.arg("rows", "SI")
	v.arg("dst", "DI")
	v.arg("stride", "R9")
	v.arg("k", "CX")
	v.p("XORQ BX, BX")
	loop, tail, done := v.label("loop"), v.label("tail"), v.label("done")
	v.p("SUBQ $%d, CX", v.w)
	v.p("JLT %s", tail)
	v.p("%s:", loop)
	v.loadRows(s, "")
	v.transpose()
	for i := range v.w {
		v.p("VMOVUPS %s, (DI)", v.r(v.transposed(i)))
		v.p("ADDQ R9, DI")
	}
	v.p("ADDQ $%d, BX", v.w)
	v.p("SUBQ $%d, CX", v.w)
	v.p("JGE %s", loop)
	v.p("%s:", tail)
	v.p("ADDQ $%d, CX", v.w)
	v.p("JZ %s", done)
	if v.wide() || s == f32 {
		v.p("MOVQ CX, R10")
		v.tailMask()
		mask := "K1"
		if !v.wide() {
			mask = v.r(maskReg)
		}
		v.loadRows(s, mask)
		v.transpose()
		for i := range v.w - 1 {
			v.p("VMOVUPS %s, (DI)", v.r(v.transposed(i)))
			v.p("DECQ R10")
			v.p("JZ %s", done)
			v.p("ADDQ R9, DI")
		}
	}
	v.p("%s:", done)
	v.end()
}

func (v *vec) loadRows(s storage, mask string) {
	for i := range v.w {
		v.p("MOVQ %d(SI), R8", 8*i)
		v.widen(s, fmt.Sprintf("(R8)(BX*%d)", s.bytes), mask, i)
	}
}

// transposed is the register that holds column i after transpose.
func (v *vec) transposed(i int) int {
	if v.wide() {
		return i
	}
	return 8 + i
}

// transpose transposes the w×w block in registers 0..w-1.
func (v *vec) transpose() {
	for i := 0; i < v.w; i += 2 {
		v.op("VUNPCKLPS", i+1, i, v.w+i)
		v.op("VUNPCKHPS", i+1, i, v.w+i+1)
	}
	for g := 0; g < v.w; g += 4 {
		t := v.w + g
		v.op("VUNPCKLPD", t+2, t, g)
		v.op("VUNPCKHPD", t+2, t, g+1)
		v.op("VUNPCKLPD", t+3, t+1, g+2)
		v.op("VUNPCKHPD", t+3, t+1, g+3)
	}
	// Register 4g+c, 128-bit lane l, now holds column 4l+c of rows 4g..4g+3.
	if !v.wide() {
		for c := range 4 {
			v.p("VPERM2F128 $0x20, Y%d, Y%d, Y%d", 4+c, c, 8+c)
			v.p("VPERM2F128 $0x31, Y%d, Y%d, Y%d", 4+c, c, 12+c)
		}
		return
	}
	shuffle := func(sel, hi, lo, dst int) { v.p("VSHUFF32X4 $0x%x, Z%d, Z%d, Z%d", sel, hi, lo, dst) }
	for c := range 4 {
		shuffle(0x88, 4+c, c, 16+c)
		shuffle(0xdd, 4+c, c, 20+c)
		shuffle(0x88, 12+c, 8+c, 24+c)
		shuffle(0xdd, 12+c, 8+c, 28+c)
	}
	for c := range 4 {
		shuffle(0x88, 24+c, 16+c, c)
		shuffle(0xdd, 24+c, 16+c, 8+c)
		shuffle(0x88, 28+c, 20+c, 4+c)
		shuffle(0xdd, 28+c, 20+c, 12+c)
	}
}

// copyKernel copies k rows of up to 16 or 32 elements, ld bytes apart, to rows
// of the given width. 16-bit operands on avx2 are copied without a mask.
func copyKernel(v *vec, name string, s storage, vectors, width int) {
	v.fn(fmt.Sprintf("k rows of up to %d elements, ld bytes apart, packed %d bytes apart.", vectors*v.w, width),
		name+s.name+v.suffix, []string{"src unsafe.Pointer", "ld int", "dst *float32", "k int", "mask int", "lanes unsafe.Pointer"}, "")
	v.arg("src", "SI")
	v.arg("ld", "R8")
	v.arg("dst", "DI")
	v.arg("k", "CX")
	masks := make([]string, vectors)
	switch {
	case v.wide():
		v.arg("mask", "DX")
		v.p("KMOVW DX, K1")
		v.p("SHRQ $16, DX")
		v.p("KMOVW DX, K2")
		for j := range masks {
			masks[j] = fmt.Sprintf("K%d", j+1)
		}
	case s == f32:
		v.arg("lanes", "DX")
		for j := range masks {
			v.p("VMOVUPS %d(DX), %s", j*32, v.r(14+j))
			masks[j] = v.r(14 + j)
		}
	}
	loop := v.label("loop")
	v.p("%s:", loop)
	for j := range vectors {
		v.widen(s, fmt.Sprintf("%d(SI)", j*v.w*s.bytes), masks[j], j)
	}
	for j := range vectors {
		v.p("VMOVUPS %s, %d(DI)", v.r(j), j*v.bytes())
	}
	v.p("ADDQ R8, SI")
	v.p("ADDQ $%d, DI", width)
	v.p("DECQ CX")
	v.p("JNZ %s", loop)
	v.end()
}

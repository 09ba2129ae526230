package main

// narrowKernels round float32 to 16 bits, to nearest even; n is a multiple of
// 16.
func narrowKernels(v *vec) {
	for _, s := range []storage{bf16, f16} {
		v.fn("dst[i] = src[i] rounded to 16 bits, n a multiple of 16.", "narrow"+s.name+v.suffix,
			[]string{"dst *uint16", "src *float32", "n int"}, "")
		v.pointers("dst", "src")
		loop := v.label("loop")
		v.p("%s:", loop)
		v.load("SI", 0, 0)
		if s == f16 {
			v.p("VCVTPS2PH $0, %s, (DI)", v.r(0))
		} else {
			v.roundBF16()
		}
		v.p("ADDQ $%d, SI", v.bytes())
		v.p("ADDQ $%d, DI", v.bytes()/2)
		v.p("SUBQ $%d, CX", v.w)
		v.p("JNZ %s", loop)
		v.end()
	}
}

// roundBF16 stores register 0 at DI: (b + 0x7fff + (b>>16 & 1)) >> 16, and for
// NaN the sign and 0x7fc0.
func (v *vec) roundBF16() {
	v.p("VPSRLD $16, %s, %s", v.r(0), v.r(1))
	v.and("lowBit", 1, 2)
	v.opc("VPADDD", "roundBF16", 2, 2)
	v.op("VPADDD", 0, 2, 2)
	v.p("VPSRLD $16, %s, %s", v.r(2), v.r(2))
	v.and("signBF16", 1, 1)
	if v.wide() {
		v.opc("VPORD", "nanBF16", 1, 1)
		v.p("VCMPPS $3, Z0, Z0, K2")
		v.p("VMOVDQA32 Z1, K2, Z2")
		v.p("VPMOVDW Z2, (DI)")
		return
	}
	v.opc("VORPS", "nanBF16", 1, 1)
	v.p("VCMPPS $3, Y0, Y0, Y3")
	v.p("VBLENDVPS Y3, Y1, Y2, Y2")
	v.p("VPACKUSDW Y2, Y2, Y2")
	v.p("VPERMQ $0xd8, Y2, Y2")
	v.p("VMOVUPS X2, (DI)")
}

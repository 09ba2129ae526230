package main

import (
	"fmt"
	"math"
)

// constants are the float32 constants of the kernels, 32 bytes each so that
// avx2 can use them as memory operands; avx512 broadcasts the first element.
var constants = []struct {
	name  string
	value float64
}{
	{"one", 1}, {"half", 0.5}, {"two", 2}, {"negInf", math.Inf(-1)},
	// exp: Cody–Waite reduction and Cephes' expf polynomial.
	{"log2e", math.Log2E}, {"ln2hi", 0.693145751953125}, {"ln2lo", 1.428606765330187045e-06},
	{"exp5", 1.9875691500e-4}, {"exp4", 1.3981999507e-3}, {"exp3", 8.3334519073e-3},
	{"exp2", 4.1665795894e-2}, {"exp1", 1.6666665459e-1}, {"exp0", 5.0000001201e-1},
	{"expLo", -87.33654}, {"expHi", 89},
	// tanh on |x| < 0.625: Cephes' tanhf.
	{"tanhSplit", 0.625},
	{"tanh4", -5.70498872745e-3}, {"tanh3", 2.06390887954e-2}, {"tanh2", -5.37397155531e-2},
	{"tanh1", 1.33314422036e-1}, {"tanh0", -3.33332819422e-1},
	// GELU, tanh form: σ(x·(a + b·x²)), derivative of the argument a + 3b·x².
	{"geluA", 2 * 0.7978845608028654}, {"geluB", 2 * 0.7978845608028654 * 0.044715},
	{"gelu3B", 3 * 2 * 0.7978845608028654 * 0.044715}, {"far", 100}, {"negFar", -100},
	// erf on |x| ≤ 4: rational approximation x·P(x²)/Q(x²) used by Eigen.
	{"erfHi", 4}, {"erfLo", -4}, {"invSqrt2", 0.7071067811865476}, {"invSqrt2Pi", 0.3989422804014327}, {"negHalf", -0.5},
	{"erfP6", -2.72614225801306e-10}, {"erfP5", 2.77068142495902e-08}, {"erfP4", -2.10102402082508e-06},
	{"erfP3", -5.69250639462346e-05}, {"erfP2", -7.34990630326855e-04}, {"erfP1", -2.95459980854025e-03}, {"erfP0", -1.60960333262415e-02},
	{"erfQ4", -1.45660718464996e-05}, {"erfQ3", -2.13374055278905e-04}, {"erfQ2", -1.68282697438203e-03},
	{"erfQ1", -7.37332916720468e-03}, {"erfQ0", -1.42647390514189e-02},
	{"unit24", 1.0 / (1 << 24)},
}

// bitConstants follow them: patterns that are not numbers.
var bitConstants = []struct {
	name string
	bits uint32
}{
	{"sign", 0x80000000}, {"abs", 0x7fffffff}, {"bias", 127},
	{"lowBit", 1}, {"roundBF16", 0x7fff}, {"signBF16", 0x8000}, {"nanBF16", 0x7fc0},
	{"philoxM0", 0xd2511f53}, {"philoxM1", 0xcd9e8d57}, {"eight", 8}, {"sixteen", 16},
}

func constOffset(name string) int {
	for i, c := range constants {
		if c.name == name {
			return 32 * i
		}
	}
	for i, c := range bitConstants {
		if c.name == name {
			return 32 * (len(constants) + i)
		}
	}
	if name == "mask" {
		return 32 * (len(constants) + len(bitConstants))
	}
	panic("unknown constant " + name)
}

// constTable writes the table. It ends with 16 words of ones and 16 of zeros,
// from which masks are read at a shifting offset.
func constTable(a *asm) {
	word := func(off int, bits uint32) {
		fmt.Fprintf(&a.text, "DATA ·constants+%d(SB)/4, $0x%08x\n", off, bits)
	}
	fill := func(off int, bits uint32) {
		for i := range 8 {
			word(off+4*i, bits)
		}
	}
	for _, c := range constants {
		fill(constOffset(c.name), math.Float32bits(float32(c.value)))
	}
	for _, c := range bitConstants {
		fill(constOffset(c.name), c.bits)
	}
	at := constOffset("mask")
	fill(at, 0xffffffff)
	fill(at+32, 0xffffffff)
	fill(at+64, 0)
	fill(at+96, 0)
	fmt.Fprintf(&a.text, "GLOBL ·constants(SB), RODATA|NOPTR, $%d\n", at+128)
}

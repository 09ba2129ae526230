package kernel

import "math"

// Exp sets dst to eˣ. The assembly (Cephes' degree-5 polynomial after
// Cody–Waite reduction) is within 2 units in the last place and returns 0
// below -87.33654, where float32 results would be subnormal.
func Exp[T Float](dst, x []T) { ExpShift(dst, x, 0) }

// ExpShift sets dst to exp(x - shift).
func ExpShift[T Float](dst, x []T, shift T) {
	mustLen("ExpShift", len(x), len(dst))
	if is32[T]() && fastExpShift(f32(dst), f32(x), float32(shift)) {
		return
	}
	for i, v := range x {
		dst[i] = exp(v - shift)
	}
}

// ExpShiftSum sets dst to exp(x - shift) and returns the sum of dst.
func ExpShiftSum[T Float](dst, x []T, shift T) T {
	mustLen("ExpShiftSum", len(x), len(dst))
	var total float64
	for i := 0; i < len(x); i += reduceBlock {
		n := min(len(x)-i, reduceBlock)
		total += float64(expSumBlock(dst[i:i+n], x[i:i+n], shift))
	}
	return T(total)
}

// SumExpShift returns Σ exp(x - shift) without storing the terms.
func SumExpShift[T Float](x []T, shift T) T {
	var total float64
	for len(x) > 0 {
		n := min(len(x), reduceBlock)
		total += float64(expSumBlock(nil, x[:n], shift))
		x = x[n:]
	}
	return T(total)
}

// expSumBlock returns Σ exp(x - shift) in the fixed order of reductions and
// stores the terms when dst is not nil.
func expSumBlock[T Float](dst, x []T, shift T) T {
	if is32[T]() {
		if s, ok := fastExpSum(f32(dst), f32(x), float32(shift)); ok {
			return T(s)
		}
	}
	var lane [reduceLanes]T
	for i, v := range x {
		e := exp(v - shift)
		lane[i%reduceLanes] += e
		if dst != nil {
			dst[i] = e
		}
	}
	return fold(&lane)
}

// expFlush is the argument below which a float32 result would be subnormal.
const expFlush = -87.33654

func exp[T Float](x T) T {
	if is32[T]() && x < expFlush {
		return 0
	}
	return T(math.Exp(float64(x)))
}

func negInf[T Float]() T { return T(math.Inf(-1)) }

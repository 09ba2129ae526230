package kernel

import "math"

// MaxSumExp returns the largest element of x and Σ exp(x - max). The
// log-sum-exp of the row is max + log(sumexp). An empty row gives (-Inf, 0); a
// row of -Inf gives (-Inf, 0) as well, so that a fully masked row has no mass.
func MaxSumExp[T Float](x []T) (largest, sumexp T) {
	largest = Max(x)
	if math.IsInf(float64(largest), -1) {
		return largest, 0
	}
	return largest, SumExpShift(x, largest)
}

// LogSumExp returns log Σ exp(x), without overflow.
func LogSumExp[T Float](x []T) T {
	largest, sum := MaxSumExp(x)
	if math.IsInf(float64(largest), 0) {
		return largest
	}
	return largest + T(math.Log(float64(sum)))
}

// Softmax sets dst to exp(x) / Σ exp(x). dst may be x. A row of -Inf becomes
// zeros.
func Softmax[T Float](dst, x []T) {
	mustLen("Softmax", len(x), len(dst))
	dst = dst[:len(x)]
	largest := Max(x)
	if math.IsInf(float64(largest), -1) {
		clear(dst)
		return
	}
	Scale(dst, dst, 1/ExpShiftSum(dst, x, largest))
}

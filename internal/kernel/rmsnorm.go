package kernel

import "math"

// RMSNormRow sets dst to x·rstd·(offset + w) and returns
// rstd = 1/√(mean(x²) + eps) (Zhang and Sennrich 2019, arXiv:1910.07467).
// Offset is 1 for models that store w - 1 (Gemma), else 0. dst may be x.
// The sum of squares follows the fixed order of reductions: all instruction
// levels give the same bits.
func RMSNormRow[T Float](dst, x, w []T, eps float64, offset T) (rstd T) {
	mustLen("RMSNormRow", len(x), len(dst), len(w))
	rstd = T(1 / math.Sqrt(SumSquares(x)/float64(len(x))+eps))
	if is32[T]() && fastScaleWeight(f32(dst), f32(x), f32(w), float32(rstd), float32(offset)) {
		return rstd
	}
	for i, v := range x {
		dst[i] = T(v*rstd) * T(w[i]+offset)
	}
	return rstd
}

// RMSNormRowBackward sets dx to the gradient of RMSNormRow's input,
//
//	dx = rstd·(offset + w)·dy - x·rstd³/n·Σ (offset + w)·dy·x
//
// and adds dy·x·rstd to dwAcc unless that is nil. dx may be dy but not x.
func RMSNormRowBackward[T Float](dx, dwAcc, dy, x, w []T, rstd, offset T) {
	mustLen("RMSNormRowBackward", len(x), len(dx), len(dy), len(w))
	if dwAcc != nil {
		mustLen("RMSNormRowBackward", len(x), len(dwAcc))
	}
	dot := rmsDot(dy, x, w, offset)
	back := T(dot / float64(len(x)) * float64(rstd) * float64(rstd) * float64(rstd))
	if is32[T]() && fastRMSBackward(f32(dx), f32(dwAcc), f32(dy), f32(x), f32(w), [3]float32{float32(rstd), float32(offset), float32(back)}) {
		return
	}
	for i, v := range x {
		g := dy[i]
		if dwAcc != nil {
			dwAcc[i] += T(g * T(v*rstd))
		}
		dx[i] = T(T(g*T(w[i]+offset))*rstd) - T(v*back)
	}
}

// rmsDot returns Σ (offset + w)·dy·x in the fixed order of reductions.
func rmsDot[T Float](dy, x, w []T, offset T) (total float64) {
	for i := 0; i < len(x); i += reduceBlock {
		n := min(len(x)-i, reduceBlock)
		total += float64(rmsDotBlock(dy[i:i+n], x[i:i+n], w[i:i+n], offset))
	}
	return total
}

func rmsDotBlock[T Float](dy, x, w []T, offset T) T {
	if is32[T]() {
		if s, ok := fastRMSDot(f32(dy), f32(x), f32(w), float32(offset)); ok {
			return T(s)
		}
	}
	var lane [reduceLanes]T
	for i, v := range x {
		lane[i%reduceLanes] += T(T(dy[i]*T(w[i]+offset)) * v)
	}
	return fold(&lane)
}

package kernel

import "math"

// LayerNormRow sets dst to (x - mean)·rstd·w + b and returns mean and
// rstd = 1/√(variance + eps), the variance taken with divisor n (Ba et al.
// 2016, arXiv:1607.06450). b may be nil. dst may be x.
func LayerNormRow[T Float](dst, x, w, b []T, eps float64) (mean, rstd T) {
	mustLen("LayerNormRow", len(x), len(dst), len(w))
	if b != nil {
		mustLen("LayerNormRow", len(x), len(b))
	}
	n := float64(len(x))
	mean = T(float64(Sum(x)) / n)
	rstd = T(1 / math.Sqrt(squaredDiff(x, mean)/n+eps))
	if is32[T]() && fastLayerNorm(f32(dst), f32(x), f32(w), f32(b), float32(mean), float32(rstd)) {
		return mean, rstd
	}
	for i, v := range x {
		y := T(T(T(v-mean)*rstd) * w[i])
		if b != nil {
			y += b[i]
		}
		dst[i] = y
	}
	return mean, rstd
}

// LayerNormRowBackward sets dx to the gradient of LayerNormRow's input. With
// x̂ = (x - mean)·rstd and g = w·dy,
//
//	dx = rstd·(g - mean(g) - x̂·mean(g·x̂))
//
// It adds dy·x̂ to dwAcc and dy to dbAcc unless they are nil. dx may be dy but
// not x.
func LayerNormRowBackward[T Float](dx, dwAcc, dbAcc, dy, x, w []T, mean, rstd T) {
	mustLen("LayerNormRowBackward", len(x), len(dx), len(dy), len(w))
	if dwAcc != nil {
		mustLen("LayerNormRowBackward", len(x), len(dwAcc))
	}
	if dbAcc != nil {
		Add(dbAcc[:len(x)], dbAcc[:len(x)], dy)
	}
	n := float64(len(x))
	sum := T(float64(Dot(w[:len(x)], dy)) / n)
	dot := T(layerDot(dy, x, w, mean) * float64(rstd) / n)
	if is32[T]() && fastLayerBackward(f32(dx), f32(dwAcc), f32(dy), f32(x), f32(w), [4]float32{float32(mean), float32(rstd), float32(sum), float32(dot)}) {
		return
	}
	for i, v := range x {
		g, hat := dy[i], T(T(v-mean)*rstd)
		if dwAcc != nil {
			dwAcc[i] += T(g * hat)
		}
		dx[i] = T(T(T(g*w[i])-sum)-T(hat*dot)) * rstd
	}
}

// squaredDiff returns Σ (x - mean)² in the fixed order of reductions.
func squaredDiff[T Float](x []T, mean T) (total float64) {
	for len(x) > 0 {
		n := min(len(x), reduceBlock)
		total += float64(squaredDiffBlock(x[:n], mean))
		x = x[n:]
	}
	return total
}

func squaredDiffBlock[T Float](x []T, mean T) T {
	if is32[T]() {
		if s, ok := fastSquaredDiff(f32(x), float32(mean)); ok {
			return T(s)
		}
	}
	var lane [reduceLanes]T
	for i, v := range x {
		d := v - mean
		lane[i%reduceLanes] += T(d * d)
	}
	return fold(&lane)
}

// layerDot returns Σ w·dy·(x - mean) in the fixed order of reductions.
func layerDot[T Float](dy, x, w []T, mean T) (total float64) {
	for i := 0; i < len(x); i += reduceBlock {
		n := min(len(x)-i, reduceBlock)
		total += float64(layerDotBlock(dy[i:i+n], x[i:i+n], w[i:i+n], mean))
	}
	return total
}

func layerDotBlock[T Float](dy, x, w []T, mean T) T {
	if is32[T]() {
		if s, ok := fastLayerDot(f32(dy), f32(x), f32(w), float32(mean)); ok {
			return T(s)
		}
	}
	var lane [reduceLanes]T
	for i, v := range x {
		lane[i%reduceLanes] += T(T(dy[i]*w[i]) * T(v-mean))
	}
	return fold(&lane)
}

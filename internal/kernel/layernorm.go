package kernel

import "math"

// LayerNormRow sets dst to (x - mean)·rstd·w + b and returns mean and
// rstd = 1/√(variance + eps), the variance taken with divisor n (Ba et al.
// 2016, arXiv:1607.06450). b may be nil. dst may be x.
func LayerNormRow[T Float](dst, x, w, b []T, eps float64) (mean, rstd T) {
	mustLen("LayerNormRow", len(x), len(dst), len(w))
	n := float64(len(x))
	mean = T(float64(Sum(x)) / n)
	var squares float64
	for _, v := range x {
		d := float64(v - mean)
		squares += d * d
	}
	rstd = T(1 / math.Sqrt(squares/n+eps))
	for i, v := range x {
		y := T(T(v-mean)*rstd) * w[i]
		if b != nil {
			y = T(y) + b[i]
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
	var sum, dot float64
	for i, v := range x {
		g := float64(w[i]) * float64(dy[i])
		sum += g
		dot += g * float64(v-mean) * float64(rstd)
	}
	n := float64(len(x))
	sum, dot = sum/n, dot/n
	for i, v := range x {
		g, hat := dy[i], T(v-mean)*rstd
		if dwAcc != nil {
			dwAcc[i] += T(g * hat)
		}
		if dbAcc != nil {
			dbAcc[i] += g
		}
		dx[i] = T(float64(rstd) * (float64(w[i])*float64(g) - sum - float64(hat)*dot))
	}
}

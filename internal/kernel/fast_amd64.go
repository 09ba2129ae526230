//go:build amd64 && !purego

package kernel

// Each fast path runs the level's assembly on float32 slices of one length and
// reports whether there is any. Calls go through switches, not function
// values, so that arguments stay on the stack.

func fastExpShift(dst, x []float32, shift float32) bool {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return false
	case l == levelAVX2:
		expShiftAVX2(&dst[0], &x[0], len(x), shift)
	default:
		expShiftAVX512(&dst[0], &x[0], len(x), shift)
	}
	return true
}

func fastExpSum(dst, x []float32, shift float32) (float32, bool) {
	l := currentLevel()
	switch {
	case l == levelGeneric || len(x) == 0:
		return 0, false
	case l == levelAVX2 && dst == nil:
		return sumExpAVX2(&x[0], len(x), shift), true
	case l == levelAVX2:
		return expSumAVX2(&dst[0], &x[0], len(x), shift), true
	case dst == nil:
		return sumExpAVX512(&x[0], len(x), shift), true
	}
	return expSumAVX512(&dst[0], &x[0], len(x), shift), true
}

func fastMax(x []float32) (float32, bool) {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return 0, false
	case l == levelAVX2:
		return maxAVX2(&x[0], len(x)), true
	}
	return maxAVX512(&x[0], len(x)), true
}

func fastSum(x []float32) (float32, bool) {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return 0, false
	case l == levelAVX2:
		return sumAVX2(&x[0], len(x)), true
	}
	return sumAVX512(&x[0], len(x)), true
}

func fastDot(x, y []float32) (float32, bool) {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return 0, false
	case l == levelAVX2:
		return dotAVX2(&x[0], &y[0], len(x)), true
	}
	return dotAVX512(&x[0], &y[0], len(x)), true
}

func fastAxpy(dst []float32, a float32, x []float32) bool {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return false
	case l == levelAVX2:
		axpyAVX2(&dst[0], &x[0], len(x), a)
	default:
		axpyAVX512(&dst[0], &x[0], len(x), a)
	}
	return true
}

func fastScale(dst, x []float32, a float32) bool {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return false
	case l == levelAVX2:
		scaleAVX2(&dst[0], &x[0], len(x), a)
	default:
		scaleAVX512(&dst[0], &x[0], len(x), a)
	}
	return true
}

func fastAdd(dst, x, y []float32) bool {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return false
	case l == levelAVX2:
		addAVX2(&dst[0], &x[0], &y[0], len(x))
	default:
		addAVX512(&dst[0], &x[0], &y[0], len(x))
	}
	return true
}

func fastMul(dst, x, y []float32) bool {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return false
	case l == levelAVX2:
		mulAVX2(&dst[0], &x[0], &y[0], len(x))
	default:
		mulAVX512(&dst[0], &x[0], &y[0], len(x))
	}
	return true
}

func fastWiden(dst []float32, src []uint16, kind Kind16) bool {
	l := currentLevel()
	n := len(src) / 16 * 16
	if l == levelGeneric || n == 0 {
		return false
	}
	switch {
	case l == levelAVX2 && kind == BF16:
		widenBF16AVX2(&dst[0], &src[0], n)
	case l == levelAVX2:
		widenF16AVX2(&dst[0], &src[0], n)
	case kind == BF16:
		widenBF16AVX512(&dst[0], &src[0], n)
	default:
		widenF16AVX512(&dst[0], &src[0], n)
	}
	for i := n; i < len(src); i++ {
		dst[i] = widen(src[i], kind)
	}
	return true
}

func fastNarrow(dst []uint16, src []float32, kind Kind16) bool {
	l := currentLevel()
	n := len(src) / 16 * 16
	if l == levelGeneric || n == 0 {
		return false
	}
	switch {
	case l == levelAVX2 && kind == BF16:
		narrowBF16AVX2(&dst[0], &src[0], n)
	case l == levelAVX2:
		narrowF16AVX2(&dst[0], &src[0], n)
	case kind == BF16:
		narrowBF16AVX512(&dst[0], &src[0], n)
	default:
		narrowF16AVX512(&dst[0], &src[0], n)
	}
	for i := n; i < len(src); i++ {
		if kind == BF16 {
			dst[i] = ToBF16(src[i])
		} else {
			dst[i] = ToF16(src[i])
		}
	}
	return true
}

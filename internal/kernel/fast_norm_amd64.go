//go:build amd64 && !purego

package kernel

func fastScaleWeight(dst, x, w []float32, rstd, offset float32) bool {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return false
	case l == levelAVX2:
		scaleWeightAVX2(&dst[0], &x[0], &w[0], len(x), rstd, offset)
	default:
		scaleWeightAVX512(&dst[0], &x[0], &w[0], len(x), rstd, offset)
	}
	return true
}

func fastRMSDot(dy, x, w []float32, offset float32) (float32, bool) {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return 0, false
	case l == levelAVX2:
		return rmsDotAVX2(&dy[0], &x[0], &w[0], len(x), offset), true
	}
	return rmsDotAVX512(&dy[0], &x[0], &w[0], len(x), offset), true
}

func fastRMSBackward(dx, dwAcc, dy, x, w []float32, c [3]float32) bool {
	l := currentLevel()
	switch {
	case l == levelGeneric || len(x) == 0:
		return false
	case l == levelAVX2 && dwAcc == nil:
		rmsBackwardAVX2(&dx[0], &dy[0], &x[0], &w[0], len(x), &c)
	case l == levelAVX2:
		rmsBackwardWeightAVX2(&dx[0], &dy[0], &x[0], &w[0], &dwAcc[0], len(x), &c)
	case dwAcc == nil:
		rmsBackwardAVX512(&dx[0], &dy[0], &x[0], &w[0], len(x), &c)
	default:
		rmsBackwardWeightAVX512(&dx[0], &dy[0], &x[0], &w[0], &dwAcc[0], len(x), &c)
	}
	return true
}

func fastSquaredDiff(x []float32, mean float32) (float32, bool) {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return 0, false
	case l == levelAVX2:
		return squaredDiffAVX2(&x[0], len(x), mean), true
	}
	return squaredDiffAVX512(&x[0], len(x), mean), true
}

func fastLayerDot(dy, x, w []float32, mean float32) (float32, bool) {
	switch l := currentLevel(); {
	case l == levelGeneric || len(x) == 0:
		return 0, false
	case l == levelAVX2:
		return layerDotAVX2(&dy[0], &x[0], &w[0], len(x), mean), true
	}
	return layerDotAVX512(&dy[0], &x[0], &w[0], len(x), mean), true
}

func fastLayerNorm(dst, x, w, b []float32, mean, rstd float32) bool {
	l := currentLevel()
	switch {
	case l == levelGeneric || len(x) == 0:
		return false
	case l == levelAVX2 && b == nil:
		layerNormAVX2(&dst[0], &x[0], &w[0], len(x), mean, rstd)
	case l == levelAVX2:
		layerNormBiasAVX2(&dst[0], &x[0], &w[0], &b[0], len(x), mean, rstd)
	case b == nil:
		layerNormAVX512(&dst[0], &x[0], &w[0], len(x), mean, rstd)
	default:
		layerNormBiasAVX512(&dst[0], &x[0], &w[0], &b[0], len(x), mean, rstd)
	}
	return true
}

func fastLayerBackward(dx, dwAcc, dy, x, w []float32, c [4]float32) bool {
	l := currentLevel()
	switch {
	case l == levelGeneric || len(x) == 0:
		return false
	case l == levelAVX2 && dwAcc == nil:
		layerBackwardAVX2(&dx[0], &dy[0], &x[0], &w[0], len(x), &c)
	case l == levelAVX2:
		layerBackwardWeightAVX2(&dx[0], &dy[0], &x[0], &w[0], &dwAcc[0], len(x), &c)
	case dwAcc == nil:
		layerBackwardAVX512(&dx[0], &dy[0], &x[0], &w[0], len(x), &c)
	default:
		layerBackwardWeightAVX512(&dx[0], &dy[0], &x[0], &w[0], &dwAcc[0], len(x), &c)
	}
	return true
}

func fastAdamW(p, g, m, v, c []float32) bool {
	switch l := currentLevel(); {
	case l == levelGeneric || len(p) == 0:
		return false
	case l == levelAVX2:
		adamWAVX2(&p[0], &g[0], &m[0], &v[0], len(p), &c[0])
	default:
		adamWAVX512(&p[0], &g[0], &m[0], &v[0], len(p), &c[0])
	}
	return true
}

//go:build amd64 && !purego

package kernel

func fastUnary(f unary, dst, x []float32) bool {
	l := currentLevel()
	if l == levelGeneric || len(x) == 0 {
		return false
	}
	wide := l == levelAVX512
	switch {
	case f == unarySigmoid && wide:
		sigmoidAVX512(&dst[0], &x[0], len(x))
	case f == unarySigmoid:
		sigmoidAVX2(&dst[0], &x[0], len(x))
	case f == unaryTanh && wide:
		tanhAVX512(&dst[0], &x[0], len(x))
	case f == unaryTanh:
		tanhAVX2(&dst[0], &x[0], len(x))
	case f == unarySiLU && wide:
		siluAVX512(&dst[0], &x[0], len(x))
	case f == unarySiLU:
		siluAVX2(&dst[0], &x[0], len(x))
	case f == unaryGELUTanh && wide:
		geluTanhAVX512(&dst[0], &x[0], len(x))
	case f == unaryGELUTanh:
		geluTanhAVX2(&dst[0], &x[0], len(x))
	case f == unaryGELUErf && wide:
		geluErfAVX512(&dst[0], &x[0], len(x))
	case f == unaryGELUErf:
		geluErfAVX2(&dst[0], &x[0], len(x))
	default:
		return false
	}
	return true
}

func fastActivateBackward(dx, dy, x []float32, act Activation) bool {
	l := currentLevel()
	if l == levelGeneric || len(x) == 0 {
		return false
	}
	wide := l == levelAVX512
	switch {
	case act == ActSiLU && wide:
		siluBackwardAVX512(&dx[0], &dy[0], &x[0], len(x))
	case act == ActSiLU:
		siluBackwardAVX2(&dx[0], &dy[0], &x[0], len(x))
	case act == ActGELUTanh && wide:
		geluTanhBackwardAVX512(&dx[0], &dy[0], &x[0], len(x))
	case act == ActGELUTanh:
		geluTanhBackwardAVX2(&dx[0], &dy[0], &x[0], len(x))
	case act == ActGELUErf && wide:
		geluErfBackwardAVX512(&dx[0], &dy[0], &x[0], len(x))
	case act == ActGELUErf:
		geluErfBackwardAVX2(&dx[0], &dy[0], &x[0], len(x))
	default:
		return false
	}
	return true
}

func fastGLU(dst, gate, up []float32, act Activation) bool {
	l := currentLevel()
	if l == levelGeneric || len(gate) == 0 {
		return false
	}
	wide := l == levelAVX512
	switch {
	case act == ActSiLU && wide:
		siluGLUAVX512(&dst[0], &gate[0], &up[0], len(gate))
	case act == ActSiLU:
		siluGLUAVX2(&dst[0], &gate[0], &up[0], len(gate))
	case act == ActGELUTanh && wide:
		geluTanhGLUAVX512(&dst[0], &gate[0], &up[0], len(gate))
	case act == ActGELUTanh:
		geluTanhGLUAVX2(&dst[0], &gate[0], &up[0], len(gate))
	case act == ActGELUErf && wide:
		geluErfGLUAVX512(&dst[0], &gate[0], &up[0], len(gate))
	case act == ActGELUErf:
		geluErfGLUAVX2(&dst[0], &gate[0], &up[0], len(gate))
	default:
		return false
	}
	return true
}

func fastGLUBackward(dgate, dup, dy, gate, up []float32, act Activation) bool {
	l := currentLevel()
	if l == levelGeneric || len(gate) == 0 {
		return false
	}
	wide := l == levelAVX512
	switch {
	case act == ActSiLU && wide:
		siluGLUBackwardAVX512(&dgate[0], &dup[0], &dy[0], &gate[0], &up[0], len(gate))
	case act == ActSiLU:
		siluGLUBackwardAVX2(&dgate[0], &dup[0], &dy[0], &gate[0], &up[0], len(gate))
	case act == ActGELUTanh && wide:
		geluTanhGLUBackwardAVX512(&dgate[0], &dup[0], &dy[0], &gate[0], &up[0], len(gate))
	case act == ActGELUTanh:
		geluTanhGLUBackwardAVX2(&dgate[0], &dup[0], &dy[0], &gate[0], &up[0], len(gate))
	case act == ActGELUErf && wide:
		geluErfGLUBackwardAVX512(&dgate[0], &dup[0], &dy[0], &gate[0], &up[0], len(gate))
	case act == ActGELUErf:
		geluErfGLUBackwardAVX2(&dgate[0], &dup[0], &dy[0], &gate[0], &up[0], len(gate))
	default:
		return false
	}
	return true
}

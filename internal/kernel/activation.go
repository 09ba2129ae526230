package kernel

import "math"

// Activation names the nonlinearity of a gated or plain MLP.
type Activation uint8

// The activations.
const (
	ActSiLU     Activation = iota // x·σ(x), also called swish
	ActGELUTanh                   // x/2·(1 + tanh(√(2/π)(x + 0.044715x³))), Hendrycks and Gimpel 2016
	ActGELUErf                    // x·Φ(x)
)

const (
	geluTanhScale = 0.7978845608028654 // √(2/π)
	geluTanhCubic = 0.044715
	invSqrt2      = 0.7071067811865476
	invSqrt2Pi    = 0.3989422804014327
)

// Sigmoid sets dst to 1/(1 + exp(-x)).
func Sigmoid[T Float](dst, x []T) {
	mustLen("Sigmoid", len(x), len(dst))
	if is32[T]() && fastUnary(unarySigmoid, f32(dst), f32(x)) {
		return
	}
	for i, v := range x {
		dst[i] = T(sigmoid(float64(v)))
	}
}

// Tanh sets dst to tanh(x).
func Tanh[T Float](dst, x []T) {
	mustLen("Tanh", len(x), len(dst))
	if is32[T]() && fastUnary(unaryTanh, f32(dst), f32(x)) {
		return
	}
	for i, v := range x {
		dst[i] = T(math.Tanh(float64(v)))
	}
}

// SiLU sets dst to x·σ(x).
func SiLU[T Float](dst, x []T) { Activate(dst, x, ActSiLU) }

// GELUTanh sets dst to the tanh approximation of x·Φ(x).
func GELUTanh[T Float](dst, x []T) { Activate(dst, x, ActGELUTanh) }

// GELUErf sets dst to x·Φ(x), Φ the standard normal distribution function.
func GELUErf[T Float](dst, x []T) { Activate(dst, x, ActGELUErf) }

// Activate sets dst to act(x).
func Activate[T Float](dst, x []T, act Activation) {
	mustLen("Activate", len(x), len(dst))
	if is32[T]() && fastUnary(unarySiLU+unary(act), f32(dst), f32(x)) {
		return
	}
	for i, v := range x {
		y, _ := activation(float64(v), act)
		dst[i] = T(y)
	}
}

// ActivateBackward sets dx to dy·act'(x). dx may be dy or x.
func ActivateBackward[T Float](dx, dy, x []T, act Activation) {
	mustLen("ActivateBackward", len(x), len(dx), len(dy))
	if is32[T]() && fastActivateBackward(f32(dx), f32(dy), f32(x), act) {
		return
	}
	for i, v := range x {
		_, d := activation(float64(v), act)
		dx[i] = T(float64(dy[i]) * d)
	}
}

// activation returns act(x) and its derivative. The tanh form uses
// (1 + tanh u)/2 = σ(2u), which does not cancel for negative x.
func activation(x float64, act Activation) (y, dydx float64) {
	switch act {
	case ActSiLU:
		s := sigmoid(x)
		return x * s, s + x*s*(1-s)
	case ActGELUTanh:
		s := sigmoid(2 * geluTanhScale * (x + geluTanhCubic*x*x*x))
		du := 2 * geluTanhScale * (1 + 3*geluTanhCubic*x*x)
		return x * s, s + x*s*(1-s)*du
	case ActGELUErf:
		phi := 0.5 * math.Erfc(-x*invSqrt2)
		return x * phi, phi + x*invSqrt2Pi*math.Exp(-0.5*x*x)
	}
	panic("kernel: unknown activation")
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// unary names a function of one variable that has an assembly kernel. The
// order from unarySiLU on is that of Activation.
type unary uint8

const (
	unarySigmoid unary = iota
	unaryTanh
	unarySiLU
	unaryGELUTanh
	unaryGELUErf
)

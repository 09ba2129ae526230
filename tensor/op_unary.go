package tensor

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// unary describes an op on each element by itself. Both functions work in
// float64 whatever the element type, so that losses do not depend on the
// instruction set; tensors of this kind have one element a token or fewer.
type unary struct {
	name  string
	value func(x float64) float64
	// slope is the derivative: a function of the input, or of the output where
	// fromOutput is set (the input's memory is then free for other use).
	slope      func(v float64) float64
	fromOutput bool
}

// Neg is −x.
func Neg(x *Node) *Node { return Scale(x, -1) }

// Exp is eˣ.
func Exp(x *Node) *Node {
	return applyUnary(unary{"exp", math.Exp, func(y float64) float64 { return y }, true}, x)
}

// Log is the natural logarithm of x.
func Log(x *Node) *Node {
	return applyUnary(unary{"log", math.Log, func(x float64) float64 { return 1 / x }, false}, x)
}

// Sigmoid is 1/(1+e⁻ˣ).
func Sigmoid(x *Node) *Node {
	return applyUnary(unary{"sigmoid", sigmoid, func(y float64) float64 { return y * (1 - y) }, true}, x)
}

// LogSigmoid is log σ(x) = −log(1+e⁻ˣ), exact for large |x|.
func LogSigmoid(x *Node) *Node {
	return applyUnary(unary{"log_sigmoid", func(x float64) float64 { return -softplus(-x) }, func(x float64) float64 { return sigmoid(-x) }, false}, x)
}

// Softplus is log(1+eˣ), exact for large |x|.
func Softplus(x *Node) *Node { return applyUnary(unary{"softplus", softplus, sigmoid, false}, x) }

// Log1mExp is log(1−eˣ) for x < 0, by the branch of Mächler (2012, "Accurately
// computing log(1−exp(−|a|))", eq. 7) that keeps its digits; −Inf at 0 and NaN
// above.
func Log1mExp(x *Node) *Node {
	return applyUnary(unary{"log1mexp", log1mExp, func(x float64) float64 { return -1 / math.Expm1(-x) }, false}, x)
}

// Tanh is the hyperbolic tangent of x.
func Tanh(x *Node) *Node {
	return applyUnary(unary{"tanh", math.Tanh, func(y float64) float64 { return 1 - y*y }, true}, x)
}

// Square is x².
func Square(x *Node) *Node {
	return applyUnary(unary{"square", func(x float64) float64 { return x * x }, func(x float64) float64 { return 2 * x }, false}, x)
}

// Sqrt is √x; its gradient at 0 is +Inf.
func Sqrt(x *Node) *Node {
	return applyUnary(unary{"sqrt", math.Sqrt, func(y float64) float64 { return 1 / (2 * y) }, true}, x)
}

// Abs is |x|; its gradient at 0 is 0.
func Abs(x *Node) *Node {
	return applyUnary(unary{"abs", math.Abs, sign, false}, x)
}

// Clip limits x to [lo, hi]; NaN stays NaN. The gradient is 1 inside, the
// borders included, and 0 outside, as torch.clamp's. One-sided limits are ±Inf.
func Clip(x *Node, lo, hi float64) *Node {
	if !(lo <= hi) {
		fail("clip: got limits %g and %g, want the first not above the second", lo, hi)
	}
	// The limits are rounded as x is, so that the borders stay inside.
	if checkFloat("clip", x); x.Dtype() == Float32 {
		lo, hi = float64(float32(lo)), float64(float32(hi))
	}
	value := func(x float64) float64 {
		switch {
		case x < lo:
			return lo
		case x > hi:
			return hi
		}
		return x
	}
	slope := func(x float64) float64 {
		if x < lo || x > hi {
			return 0
		}
		return 1
	}
	return applyUnary(unary{"clip", value, slope, false}, x)
}

// Scale is c·x.
func Scale(x *Node, c float64) *Node {
	s := Spec{
		Name:           "scale",
		Out:            []Output{likeFloat("scale", x)},
		Differentiable: []bool{true},
		Gradient:       func(b *Backward) Nodes { return Nodes{Scale(b.Grad[0], c)} },
		Kernel:         byFloat("scale", x, scaleKernel[float32](c), scaleKernel[float64](c)),
	}
	return Apply(s, x)[0]
}

// AddScalar is x + c.
func AddScalar(x *Node, c float64) *Node {
	s := Spec{
		Name:           "add_scalar",
		Out:            []Output{likeFloat("add_scalar", x)},
		Differentiable: []bool{true},
		Gradient:       func(b *Backward) Nodes { return Nodes{b.Grad[0]} },
		Kernel:         byFloat("add_scalar", x, shiftKernel[float32](c), shiftKernel[float64](c)),
	}
	return Apply(s, x)[0]
}

// Detach is x without its gradient.
func Detach(x *Node) *Node {
	return Apply(Spec{
		Name:           "detach",
		Out:            []Output{likeFloat("detach", x)},
		Differentiable: []bool{false},
		Kernel:         byFloat("detach", x, copyKernel[float32](), copyKernel[float64]()),
	}, x)[0]
}

func likeFloat(name string, x *Node) Output {
	checkFloat(name, x)
	return like(x, 0)
}

func applyUnary(u unary, x *Node) *Node {
	s := Spec{
		Name:           u.name,
		Out:            []Output{likeFloat(u.name, x)},
		Differentiable: []bool{true},
		Kernel:         byFloat(u.name, x, unaryKernel[float32](u.value), unaryKernel[float64](u.value)),
	}
	s.Gradient = func(b *Backward) Nodes {
		from := b.In[0]
		if u.fromOutput {
			from = b.Out[0]
		}
		return Apply(Spec{
			Name:           u.name + ".grad",
			Out:            []Output{like(from, 1)},
			Differentiable: []bool{false, false},
			Kernel:         byFloat(u.name, from, slopeKernel[float32](u.slope), slopeKernel[float64](u.slope)),
		}, from, b.Grad[0])
	}
	return Apply(s, x)[0]
}

// mathGrain is the number of calls of a function of package math worth a piece
// of parallel work: about 20 µs.
const mathGrain = 2 << 10

func unaryKernel[T Float](f func(float64) float64) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		y := Slice[T](&c.Out[0])
		x := operand[T](c, 0, len(y))
		for i := lo; i < hi; i++ {
			y[i] = T(f(float64(x[i])))
		}
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, mathGrain, body) }
}

// slopeKernel is dx = slope(v)·dy; a zero gradient stays zero where the slope
// is not finite, because a value nobody uses must not poison the others.
func slopeKernel[T Float](slope func(float64) float64) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		dx := Slice[T](&c.Out[0])
		v, dy := operand[T](c, 0, len(dx)), operand[T](c, 1, len(dx))
		for i := lo; i < hi; i++ {
			if dy[i] == 0 {
				dx[i] = 0
				continue
			}
			dx[i] = T(slope(float64(v[i])) * float64(dy[i]))
		}
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, mathGrain, body) }
}

func scaleKernel[T Float](factor float64) Kernel {
	a := T(factor)
	body := func(c *Call, lo, hi, _ int) {
		y := Slice[T](&c.Out[0])
		kernel.Scale(y[lo:hi], operand[T](c, 0, len(y))[lo:hi], a)
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, elementGrain, body) }
}

func shiftKernel[T Float](shift float64) Kernel {
	b := T(shift)
	body := func(c *Call, lo, hi, _ int) {
		y := Slice[T](&c.Out[0])
		for i, v := range operand[T](c, 0, len(y))[lo:hi] {
			y[lo+i] = v + b
		}
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, elementGrain, body) }
}

func copyKernel[T Float]() Kernel {
	body := func(c *Call, lo, hi, _ int) {
		copy(Slice[T](&c.Out[0])[lo:hi], operand[T](c, 0, c.Out[0].Len)[lo:hi])
	}
	return func(c *Call) {
		if c.Out[0].Ptr != c.In[0].Ptr {
			c.Parallel(c.Out[0].Len, elementGrain, body)
		}
	}
}

func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func log1mExp(x float64) float64 {
	if x > -math.Ln2 {
		return math.Log(-math.Expm1(x))
	}
	return math.Log1p(-math.Exp(x))
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0, or NaN
}

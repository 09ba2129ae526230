package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// Add is x + y, element by element, for inputs of one shape.
func Add(x, y *Node) *Node {
	s := binarySpec("add", x, y, byFloat("add", x, binaryKernel(kernel.Add[float32]), binaryKernel(kernel.Add[float64])))
	s.Gradient = func(b *Backward) Nodes { return Nodes{b.Grad[0], b.Grad[0]} }
	return Apply(s, x, y)[0]
}

// Sub is x − y, element by element, for inputs of one shape.
func Sub(x, y *Node) *Node {
	s := binarySpec("sub", x, y, byFloat("sub", x, binaryKernel(subSlices[float32]), binaryKernel(subSlices[float64])))
	s.Gradient = func(b *Backward) Nodes {
		g := Nodes{b.Grad[0], nil}
		if b.Need[1] {
			g[1] = Neg(b.Grad[0])
		}
		return g
	}
	return Apply(s, x, y)[0]
}

// Mul is x · y, element by element, for inputs of one shape.
func Mul(x, y *Node) *Node {
	s := binarySpec("mul", x, y, byFloat("mul", x, binaryKernel(kernel.Mul[float32]), binaryKernel(kernel.Mul[float64])))
	s.Gradient = func(b *Backward) Nodes {
		g := make(Nodes, 2)
		for i := range g {
			if b.Need[i] {
				g[i] = Mul(b.Grad[0], b.In[1-i])
			}
		}
		return g
	}
	return Apply(s, x, y)[0]
}

// Div is x / y, element by element, for inputs of one shape.
func Div(x, y *Node) *Node {
	s := binarySpec("div", x, y, byFloat("div", x, binaryKernel(divSlices[float32]), binaryKernel(divSlices[float64])))
	s.Gradient = func(b *Backward) Nodes {
		g := make(Nodes, 2)
		if b.Need[0] {
			g[0] = Div(b.Grad[0], b.In[1])
		}
		if b.Need[1] {
			g[1] = Neg(Div(Mul(b.Grad[0], b.Out[0]), b.In[1]))
		}
		return g
	}
	return Apply(s, x, y)[0]
}

// Min is the smaller of x and y, element by element, for inputs of one shape;
// NaN where either is. Where they are equal each gets half of the gradient, as
// torch.minimum does.
func Min(x, y *Node) *Node { return choose("min", x, y, -1) }

// Max is the larger of x and y, element by element, for inputs of one shape;
// NaN where either is. Where they are equal each gets half of the gradient, as
// torch.maximum does.
func Max(x, y *Node) *Node { return choose("max", x, y, 1) }

// choose takes y where sign·(y−x) > 0.
func choose(name string, x, y *Node, sign float64) *Node {
	s := binarySpec(name, x, y, byFloat(name, x, binaryKernel(chooser[float32](sign)), binaryKernel(chooser[float64](sign))))
	s.Gradient = func(b *Backward) Nodes {
		x, y, dy := b.In[0], b.In[1], b.Grad[0]
		return Apply(Spec{
			Name:           name + ".grad",
			Out:            []Output{like(x, 0), like(y, 1)},
			Differentiable: make([]bool, 3),
			Kernel:         byFloat(name, x, chooseGradient[float32](sign), chooseGradient[float64](sign)),
		}, x, y, dy)
	}
	return Apply(s, x, y)[0]
}

// binarySpec describes an op on two inputs of one shape.
func binarySpec(name string, x, y *Node, k Kernel) Spec {
	checkSame(name, x, y)
	return Spec{Name: name, Out: []Output{like(x, 0)}, Differentiable: []bool{true, true}, Kernel: k}
}

// elementGrain is the number of elements of cheap arithmetic worth a piece of
// parallel work: about 10 µs.
const elementGrain = 16 << 10

// binaryKernel runs f, which may be handed the same memory twice, over all
// elements.
func binaryKernel[T Float](f func(dst, x, y []T)) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		n := c.Out[0].Len
		f(Slice[T](&c.Out[0])[lo:hi], operand[T](c, 0, n)[lo:hi], operand[T](c, 1, n)[lo:hi])
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, elementGrain, body) }
}

func subSlices[T Float](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] - y[i]
	}
}

func divSlices[T Float](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] / y[i]
	}
}

// chooser returns the slice form of Min and Max. Adding NaN operands makes the
// result NaN whichever of them it is.
func chooser[T Float](sign float64) func(dst, x, y []T) {
	sg := T(sign)
	return func(dst, x, y []T) {
		for i := range dst {
			a, b := x[i], y[i]
			switch {
			case a != a || b != b:
				dst[i] = a + b
			case sg*b > sg*a:
				dst[i] = b
			default:
				dst[i] = a
			}
		}
	}
}

// chooseGradient hands dy (input 2) to the operand that was taken. NaN operands
// get half each, so that a NaN gradient is not lost.
func chooseGradient[T Float](sign float64) Kernel {
	sg := T(sign)
	body := func(c *Call, lo, hi, _ int) {
		n := c.In[2].Len
		x, y, dy := operand[T](c, 0, n), operand[T](c, 1, n), operand[T](c, 2, n)
		dx, dr := Slice[T](&c.Out[0]), Slice[T](&c.Out[1])
		for i := lo; i < hi; i++ {
			a, b := sg*x[i], sg*y[i]
			l, r := dy[i]/2, dy[i]/2
			if a > b {
				l, r = dy[i], 0
			} else if b > a {
				l, r = 0, dy[i]
			}
			if dx != nil {
				dx[i] = l
			}
			if dr != nil {
				dr[i] = r
			}
		}
	}
	return func(c *Call) { c.Parallel(c.In[2].Len, elementGrain, body) }
}

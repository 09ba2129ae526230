package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// GLU is act(gate)·up, element by element: the inner part of a gated MLP
// (Shazeer 2020, arXiv:2002.05202, eq. 6). Both inputs have one shape.
func GLU(gate, up *Node, act Activation) *Node {
	act.known("glu")
	s := binarySpec("glu", gate, up, byFloat("glu", gate, gluKernel[float32](act), gluKernel[float64](act)))
	s.Gradient = func(b *Backward) Nodes {
		gate, up, dy := b.In[0], b.In[1], b.Grad[0]
		switch {
		case !b.Need[1]:
			return Nodes{activateGradient(Mul(dy, up), gate, act), nil}
		case !b.Need[0]:
			return Nodes{nil, GLU(gate, dy, act)}
		}
		return Apply(Spec{
			Name:           "glu.grad",
			Out:            []Output{like(gate, 0), like(up, 1)},
			Differentiable: make([]bool, 3),
			Kernel:         byFloat("glu", gate, gluGradientKernel[float32](act), gluGradientKernel[float64](act)),
			Scratch:        gluBlock * floatSize(gate),
		}, gate, up, dy)
	}
	return Apply(s, gate, up)[0]
}

func gluKernel[T Float](act Activation) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		y := Slice[T](&c.Out[0])
		n := len(y)
		glu(y[lo:hi], operand[T](c, 0, n)[lo:hi], operand[T](c, 1, n)[lo:hi], act)
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, elementGrain, body) }
}

// gluBlock is the number of elements handled at once where one of the two
// gradients has no reader and goes to scratch memory.
const gluBlock = 1024

// gluGradientKernel has inputs gate, up, dy and outputs dgate, dup, which may
// lie in the memory of gate and up.
func gluGradientKernel[T Float](act Activation) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		n := c.In[2].Len
		gate, up, dy := operand[T](c, 0, n)[lo:hi], operand[T](c, 1, n)[lo:hi], operand[T](c, 2, n)[lo:hi]
		gluBackward(Slice[T](&c.Out[0])[lo:hi], Slice[T](&c.Out[1])[lo:hi], dy, gate, up, act)
	}
	return func(c *Call) {
		if c.Out[0].Wanted() && c.Out[1].Wanted() {
			c.Parallel(c.In[2].Len, elementGrain, body)
			return
		}
		gluGradientSerial[T](c, act)
	}
}

// gluGradientSerial serves machines that ask for one output at a time.
func gluGradientSerial[T Float](c *Call, act Activation) {
	n := c.In[2].Len
	gate, up, dy := operand[T](c, 0, n), operand[T](c, 1, n), operand[T](c, 2, n)
	spare := scratch[T](c, 0, gluBlock)
	for lo := 0; lo < n; lo += gluBlock {
		hi := min(lo+gluBlock, n)
		dgate, dup := spare[:hi-lo], spare[:hi-lo]
		if c.Out[0].Wanted() {
			dgate = Slice[T](&c.Out[0])[lo:hi]
		}
		if c.Out[1].Wanted() {
			dup = Slice[T](&c.Out[1])[lo:hi]
		}
		gluBackward(dgate, dup, dy[lo:hi], gate[lo:hi], up[lo:hi], act)
	}
}

func glu[T Float](y, gate, up []T, act Activation) {
	if act != ReLU {
		kernel.GLU(y, gate, up, kernelActivation(act))
		return
	}
	for i, v := range gate {
		if v < 0 {
			v = 0
		}
		y[i] = v * up[i]
	}
}

func gluBackward[T Float](dgate, dup, dy, gate, up []T, act Activation) {
	if act != ReLU {
		kernel.GLUBackward(dgate, dup, dy, gate, up, kernelActivation(act))
		return
	}
	for i, v := range gate {
		g, u := dy[i], up[i]
		if v > 0 {
			dgate[i], dup[i] = g*u, g*v
		} else {
			dgate[i], dup[i] = 0, g*max(v, 0)
		}
	}
}

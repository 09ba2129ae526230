package tensor

import (
	"fmt"

	"github.com/posttrain/posttrain/internal/kernel"
)

// Activation is the nonlinearity of an MLP.
type Activation uint8

// The activations. GELUTanh is the approximation of Hendrycks and Gimpel (2016,
// arXiv:1606.08415, section 2); GELUErf is x·Φ(x) itself.
const (
	SiLU     Activation = iota // x·σ(x), also called swish
	GELUTanh                   // x/2·(1+tanh(√(2/π)(x+0.044715x³)))
	GELUErf                    // x·Φ(x)
	ReLU                       // max(x, 0), with slope 0 at 0
)

// ParseActivation returns the activation that a checkpoint's config.json calls
// name (hidden_act, hidden_activation).
func ParseActivation(name string) (Activation, error) {
	switch name {
	case "silu", "swish":
		return SiLU, nil
	case "gelu_pytorch_tanh", "gelu_new", "gelu_fast":
		return GELUTanh, nil
	case "gelu":
		return GELUErf, nil
	case "relu":
		return ReLU, nil
	}
	return 0, fmt.Errorf("tensor: activation, got %q, want silu, swish, gelu, gelu_pytorch_tanh, gelu_new, gelu_fast or relu", name)
}

// String is the activation's name in config.json.
func (a Activation) String() string {
	switch a {
	case SiLU:
		return "silu"
	case GELUTanh:
		return "gelu_pytorch_tanh"
	case GELUErf:
		return "gelu"
	case ReLU:
		return "relu"
	}
	return fmt.Sprintf("Activation(%d)", uint8(a))
}

// known refuses a number that is no activation.
func (a Activation) known(name string) {
	if a > ReLU {
		fail("%s: unknown activation %d", name, uint8(a))
	}
}

// Activate is act(x), element by element.
func Activate(x *Node, act Activation) *Node {
	act.known("activate")
	s := Spec{
		Name:           act.String(),
		Out:            []Output{likeFloat("activate", x)},
		Differentiable: []bool{true},
		Kernel:         byFloat("activate", x, activateKernel[float32](act), activateKernel[float64](act)),
	}
	s.Gradient = func(b *Backward) Nodes { return Nodes{activateGradient(b.Grad[0], b.In[0], act)} }
	return Apply(s, x)[0]
}

// activateGradient is dy·act'(x).
func activateGradient(dy, x *Node, act Activation) *Node {
	return Apply(Spec{
		Name:           act.String() + ".grad",
		Out:            []Output{like(dy, 0)},
		Differentiable: []bool{false, false},
		Kernel:         byFloat("activate", x, activateGradientKernel[float32](act), activateGradientKernel[float64](act)),
	}, dy, x)[0]
}

func activateKernel[T Float](act Activation) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		y := Slice[T](&c.Out[0])
		activate(y[lo:hi], operand[T](c, 0, len(y))[lo:hi], act)
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, elementGrain, body) }
}

func activateGradientKernel[T Float](act Activation) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		dx := Slice[T](&c.Out[0])
		n := len(dx)
		activateBackward(dx[lo:hi], operand[T](c, 0, n)[lo:hi], operand[T](c, 1, n)[lo:hi], act)
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, elementGrain, body) }
}

// kernelActivation maps to the numbering of package kernel, which has no ReLU.
func kernelActivation(a Activation) kernel.Activation {
	switch a {
	case GELUTanh:
		return kernel.ActGELUTanh
	case GELUErf:
		return kernel.ActGELUErf
	default:
		return kernel.ActSiLU
	}
}

func activate[T Float](y, x []T, act Activation) {
	if act != ReLU {
		kernel.Activate(y, x, kernelActivation(act))
		return
	}
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		y[i] = v // NaN stays NaN
	}
}

// activateBackward is dx = dy·act'(x); dx may be dy or x.
func activateBackward[T Float](dx, dy, x []T, act Activation) {
	if act != ReLU {
		kernel.ActivateBackward(dx, dy, x, kernelActivation(act))
		return
	}
	for i, v := range x {
		g := dy[i]
		if v <= 0 {
			g = 0
		}
		dx[i] = g
	}
}

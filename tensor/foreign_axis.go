package tensor

import (
	"fmt"
	"reflect"
	"strings"

	"gorgonia.org/gorgonia"
)

// foreignAxis is the dynamic axis that the rows of one of Gorgonia's results
// lie on, or -1. A result of unknown origin counts as one of full capacity: our
// ops refuse to mix it with fewer live rows, so a wrong guess is an error of the
// run and never a wrong number.
func (c *compiler) foreignAxis(n *Node, operands []int) int {
	axis := -1
	for i, v := range operands {
		ax := c.values[v].axis
		if ax < 0 || n.Dims() == 0 || n.Shape()[0] != c.axes[ax].capacity || !keepsRows(n.Op(), i) {
			continue
		}
		if axis >= 0 && axis != ax {
			fail("%v: rows of axis %s meet rows of axis %s", n, c.axes[axis].name, c.axes[ax].name)
		}
		axis = ax
	}
	return axis
}

// keepsRows says whether row i of the result belongs to row i of an operand.
func keepsRows(op gorgonia.Op, operand int) bool {
	v := reflect.Indirect(reflect.ValueOf(op))
	switch strings.TrimPrefix(fmt.Sprintf("%T", op), "*") {
	case "gorgonia.elemUnaryOp", "gorgonia.elemBinOp":
		return true
	case "gorgonia.linAlgBinOp": // products: the rows of the left factor
		return operand == 0 && !v.FieldByName("transA").Bool()
	case "gorgonia.sumOp", "gorgonia.maxOp":
		along := v.FieldByName("along")
		for i := range along.Len() {
			if along.Index(i).Int() == 0 {
				return false
			}
		}
		return true
	case "gorgonia.sliceOp":
		return v.FieldByName("along").Int() != 0 || v.FieldByName("Slice").IsNil() // of everything
	case "gorgonia.repeatOp":
		return operand == 0 && v.FieldByName("along").Int() != 0
	case "gorgonia.sliceIncrOp":
		return operand == 0
	case "gorgonia.concatOp":
		return v.FieldByName("axis").Int() != 0
	case "gorgonia.transposeOp":
		p := v.FieldByName("pattern")
		return p.Len() > 0 && p.Index(0).Int() == 0
	case "gorgonia.reshapeOp":
		from := v.FieldByName("from")
		return from.Len() > 0 && from.Index(0).Int() == v.FieldByName("to").Index(0).Int()
	}
	return false
}

// followName is the op of follow, which the compiler turns into no instruction.
const followName = "follow"

// follow is g with the leading axis of like, whose shape it has. Gradients that
// Gorgonia's ops make, and seeds, may have the capacity of an axis without lying
// on it; our ops must see the live rows only.
func follow(g, like *Node) *Node {
	if like.Dims() == 0 || g.Dims() == 0 {
		return g
	}
	return Apply(Spec{
		Name:           followName,
		Out:            []Output{{Shape: like.Shape().Clone(), Dtype: g.Dtype(), Axis: 2}},
		Differentiable: []bool{false, false},
		Kernel: func(c *Call) {
			n := c.Out[0].Len * int(c.Out[0].Dtype.Size())
			copy(bytesOf(c.Out[0].Ptr, n), bytesOf(c.In[0].Ptr, n))
		},
	}, g, like)[0]
}

// addFollow books the output of follow: another view of its operand's memory.
func (c *compiler) addFollow(n *Node) {
	ops := c.operands(n)
	v := c.values[ops[0]]
	if ax := c.values[ops[1]].axis; ax >= 0 {
		v.axis = ax
	}
	v.out = c.pinned[n]
	c.values = append(c.values, v)
	c.byNode[n] = len(c.values) - 1
	if c.pinned[n] {
		c.buffers[v.buf].pinned = true
	}
}

// inputHashes refuses two inputs that Gorgonia cannot tell apart: it merges ops
// of its own on nodes of equal 32-bit hash, and has done so by now.
func (c *compiler) inputHashes() {
	seen := map[uint32]*Node{}
	for _, n := range c.g.AllNodes() {
		if n.Op() != nil {
			continue
		}
		if other := seen[n.Hashcode()]; other != nil {
			fail("Gorgonia's hashes of inputs %q and %q are equal, so that it may take one for the other: rename one", other.Name(), n.Name())
		}
		seen[n.Hashcode()] = n
	}
}

// brokenOps are ops of Gorgonia v0.9.18 whose value or gradient is wrong
// (docs/adr/0002-gorgonia.md), with what to use instead.
var brokenOps = map[string]string{
	"softmaxOp":   "merges with log-softmax; use TokenLogProb or Exp and sums",
	"dropoutOp":   "its gradient divides by p; use tensor.Dropout",
	"logSumExpOp": "does not build for a matrix; use TokenLogProb",
}

// lintForeign refuses an op that would give wrong numbers.
func lintForeign(n *Node) {
	name := strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", n.Op()), "*"), "gorgonia.")
	if why, broken := brokenOps[name]; broken {
		fail("Gorgonia's %s cannot be trusted: %s", name, why)
	}
}

// brokenGradients are ops of Gorgonia v0.9.18 whose value is right and whose
// gradient is not, by their String.
var brokenGradients = map[string]string{
	"invSqrt": "use tensor.Sqrt and tensor.Div",
	"log2":    "use tensor.Log and tensor.Scale",
}

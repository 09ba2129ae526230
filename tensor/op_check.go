package tensor

import "fmt"

// like describes an output with the shape, element type and leading axis of
// input i, which it may overwrite.
func like(in *Node, i int) Output {
	return Output{Shape: in.Shape().Clone(), Dtype: in.Dtype(), Axis: axis(in, i), InPlace: i + 1}
}

// fresh is like without permission to overwrite.
func fresh(in *Node, i int) Output {
	o := like(in, i)
	o.InPlace = 0
	return o
}

// axis is the Output.Axis of an output that shares the leading axis of input i.
func axis(in *Node, i int) int {
	if in.Dims() == 0 {
		return 0
	}
	return i + 1
}

// gradientOf describes the gradient of a parameter-like input: its shape, and
// an accumulator to add to.
func gradientOf(in *Node, dt Dtype) Output {
	return Output{Shape: in.Shape().Clone(), Dtype: dt, Accumulates: true}
}

// byFloat picks the kernel for the element type of x, which must be one that
// computation uses.
func byFloat(name string, x *Node, single, double Kernel) Kernel {
	switch checkFloat(name, x); x.Dtype() {
	case Float64:
		return double
	default:
		return single
	}
}

// checkFloat refuses a missing node and element types that are only stored.
func checkFloat(name string, x *Node) {
	if x == nil {
		fail("%s: an input is nil", name)
	}
	if dt := x.Dtype(); dt != Float32 && dt != Float64 {
		fail("%s: element type of %v is %v, want float32 or float64", name, x, dt)
	}
}

// checkSame refuses inputs that differ in shape or element type.
func checkSame(name string, x, y *Node) {
	checkFloat(name, x)
	checkFloat(name, y)
	if !x.Shape().Eq(y.Shape()) {
		fail("%s: got shapes %v and %v, want equal shapes", name, x.Shape(), y.Shape())
	}
	if x.Dtype() != y.Dtype() {
		fail("%s: got element types %v and %v, want equal types", name, x.Dtype(), y.Dtype())
	}
}

// checkWeight refuses a weight that kernels cannot read beside activations x:
// it has the type of x or, beside float32, one of 16 bits.
func checkWeight(name string, x, w *Node) {
	if w == nil {
		fail("%s: the weight is nil", name)
	}
	switch dt := w.Dtype(); {
	case dt == x.Dtype():
	case x.Dtype() == Float32 && (dt == BFloat16 || dt == Float16):
	default:
		fail("%s: weight %v has element type %v, want %v (or bfloat16 or float16 beside float32)", name, w, dt, x.Dtype())
	}
}

// checkInts refuses anything but a vector of int32.
func checkInts(name, what string, n *Node) {
	if n == nil {
		fail("%s: %s is nil", name, what)
	}
	if n.Dtype() != Int32 || n.Dims() != 1 {
		fail("%s: %s has element type %v and shape %v, want a vector of int32", name, what, n.Dtype(), n.Shape())
	}
}

// checkVector refuses anything but a floating-point vector of n elements; any
// length where n is 0.
func checkVector(name, what string, v *Node, n int) {
	checkFloat(name, v)
	if s := v.Shape(); v.Dims() != 1 || n > 0 && s[0] != n {
		want := "(N)"
		if n > 0 {
			want = fmt.Sprintf("(%d)", n)
		}
		fail("%s: %s has shape %v, want %s", name, what, s, want)
	}
}

// rowWidth splits a shape into rows and the elements of a row.
func rowWidth(s Shape) (rows, width int) {
	if len(s) == 0 {
		return 1, 1
	}
	return s[0], elements(s[1:])
}

// operand is the first n elements of input i. Inputs of one op may have
// different live lengths only by a mistake in the graph, which is reported.
func operand[T Element](c *Call, i, n int) []T {
	s := Slice[T](&c.In[i])
	if len(s) < n {
		panic(fmt.Sprintf("input %d has %d live elements, want %d", i, len(s), n))
	}
	return s[:n]
}

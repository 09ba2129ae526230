package tensor

import (
	"fmt"
	"unsafe"

	"gorgonia.org/gorgonia"
	gtensor "gorgonia.org/tensor"
)

// foreign runs one of Gorgonia's own ops inside a program, under three rules
// that Gorgonia's ops need: the output is zeroed first, because some of them add
// to it; every operand has a header of its own, because the matrix product
// transposes headers in place; operands on a dynamic axis are copied into memory
// of full capacity whose other rows are zero.
type foreign struct {
	op      gorgonia.Op
	call    *Call
	in      []gorgonia.Value
	staging [][]byte // per operand; nil where the op reads the program's memory
	headers []unsafe.Pointer
	out     gorgonia.Value
	outPtr  unsafe.Pointer
	outSize int
}

// addForeign books one of Gorgonia's own ops. Its output follows the dynamic
// axis of an operand when its leading dimension equals that axis's capacity.
func (c *compiler) addForeign(n *Node) {
	ops := c.operands(n)
	for _, v := range ops {
		ax := c.values[v].axis
		if ax >= 0 && n.Dims() > 0 && n.Shape()[0] == c.axes[ax].capacity {
			c.axisOf[n] = ax
			break
		}
	}
	if err := lintForeign(n); err != nil {
		fail("%v", err)
	}
	out := c.newValue(n, false)
	c.ins = append(c.ins, instruction{name: n.Op().String(), node: n, in: ops, out: []int{out}, inPlace: []int{-1},
		acc: []bool{false}, scratch: -1, segment: c.segmentOf(n), foreign: &foreign{op: n.Op()}})
}

// brokenOps are ops of Gorgonia v0.9.18 whose value or gradient is wrong
// (shared/notes/gorgonia.md §3.2), with what to use instead.
var brokenOps = map[string]string{
	"softmaxOp":   "merges with log-softmax; use TokenLogProb or Exp and sums",
	"dropoutOp":   "its gradient divides by p; use tensor.Dropout",
	"logSumExpOp": "does not build for a matrix; use TokenLogProb",
}

func lintForeign(n *Node) error {
	name := fmt.Sprintf("%T", n.Op())
	for bad, why := range brokenOps {
		if name == "*gorgonia."+bad || name == "gorgonia."+bad {
			return fmt.Errorf("Gorgonia's %s cannot be trusted: %s", bad, why)
		}
	}
	return nil
}

// prepare makes the values that the op is called with.
func (f *foreign) prepare(p *Program, in *instruction) error {
	f.call = &in.call
	f.in = make([]gorgonia.Value, len(in.in))
	f.headers = make([]unsafe.Pointer, len(in.in))
	if f.staging == nil {
		f.staging = make([][]byte, len(in.in))
	}
	for i, v := range in.in {
		val := &p.values[v]
		if val.axis >= 0 && f.staging[i] == nil {
			f.staging[i] = alignedBytes(elements(val.node.Shape()) * int(val.node.Dtype().Size()))
		}
	}
	n := p.values[in.out[0]].node
	f.outPtr, f.outSize = in.call.Out[0].Ptr, elements(n.Shape())*int(n.Dtype().Size())
	var err error
	f.out, err = wrap(f.outPtr, n.Dtype(), n.Shape())
	if err != nil {
		return fmt.Errorf("tensor: op %s: %w", in.name, err)
	}
	for i, v := range in.in {
		if err := f.refresh(i, p.values[v].node); err != nil {
			return fmt.Errorf("tensor: op %s: %w", in.name, err)
		}
	}
	return nil
}

// refresh points operand i at its memory, where that is known and has moved.
func (f *foreign) refresh(i int, n *Node) error {
	ptr := f.call.In[i].Ptr
	if f.staging[i] != nil {
		ptr = unsafe.Pointer(unsafe.SliceData(f.staging[i]))
	}
	if ptr == nil || ptr == f.headers[i] {
		return nil
	}
	v, err := wrap(ptr, n.Dtype(), n.Shape())
	f.in[i], f.headers[i] = v, ptr
	return err
}

// run is the kernel of a foreign op.
func (f *foreign) run(c *Call) {
	for i := range c.In {
		v := &c.In[i]
		if s := f.staging[i]; s != nil {
			live := v.Len * int(v.Dtype.Size())
			if live > 0 {
				copy(s, unsafe.Slice((*byte)(v.Ptr), live))
			}
			clear(s[live:])
		} else if v.Ptr != f.headers[i] {
			w, err := wrap(v.Ptr, v.Dtype, v.Shape)
			if err != nil {
				panic(err)
			}
			f.in[i], f.headers[i] = w, v.Ptr
		}
	}
	var r gorgonia.Value
	var err error
	if op, ok := f.op.(gorgonia.UsePreallocDoer); ok {
		zero(f.outPtr, f.outSize)
		r, err = op.UsePreallocDo(f.out, f.in...)
	} else {
		r, err = f.op.Do(f.in...)
	}
	if err != nil {
		panic(err)
	}
	if r.Uintptr() != f.out.Uintptr() {
		if _, err := gorgonia.Copy(f.out, r); err != nil {
			panic(err)
		}
	}
	if d, ok := r.(*gtensor.Dense); ok && d.RequiresIterator() {
		panic("Gorgonia returned a strided result")
	}
}

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
	values  []*value // operands
	in      []gorgonia.Value
	staged  []int // per operand: its offset in scratch memory, or -1
	headers []unsafe.Pointer
	out     gorgonia.Value
	outPtr  unsafe.Pointer
	outSize int
}

// addForeign books one of Gorgonia's own ops.
func (c *compiler) addForeign(n *Node) {
	ops := c.operands(n)
	if ax := c.foreignAxis(n, ops); ax >= 0 {
		c.axisOf[n] = ax
	}
	lintForeign(n)
	out := c.newValue(n, false)
	f := &foreign{op: n.Op(), staged: make([]int, len(ops))}
	in := instruction{name: n.Op().String(), node: n, in: ops, out: []int{out}, inPlace: []int{-1},
		acc: []bool{false}, scratch: -1, segment: c.segmentOf(n), foreign: f}
	if size := f.stage(c.values, ops); size > 0 {
		in.scratch = c.newScratch(size)
	}
	c.ins = append(c.ins, in)
}

// stage gives each operand on a dynamic axis a place in the instruction's
// scratch memory and returns the size of all of them.
func (f *foreign) stage(values []value, operands []int) (size int) {
	for i, v := range operands {
		f.staged[i] = -1
		if values[v].axis >= 0 {
			f.staged[i] = size
			size += (values[v].size*int(values[v].node.Dtype().Size()) + alignment - 1) &^ (alignment - 1)
		}
	}
	return size
}

// staging is the memory of operand i at full capacity; nil where the op reads
// the program's memory.
func (f *foreign) staging(c *Call, i int, n *value) []byte {
	if f.staged[i] < 0 {
		return nil
	}
	return c.Scratch[f.staged[i] : f.staged[i]+n.size*int(n.node.Dtype().Size())]
}

// prepare makes the values that the op is called with.
func (f *foreign) prepare(p *Program, in *instruction) error {
	f.call = &in.call
	f.in = make([]gorgonia.Value, len(in.in))
	f.headers = make([]unsafe.Pointer, len(in.in))
	f.values = make([]*value, len(in.in))
	for i, v := range in.in {
		f.values[i] = &p.values[v]
	}
	n := p.values[in.out[0]].node
	f.outPtr, f.outSize = in.call.Out[0].Ptr, elements(n.Shape())*int(n.Dtype().Size())
	var err error
	f.out, err = wrap(f.outPtr, n.Dtype(), n.Shape())
	if err != nil {
		return fmt.Errorf("tensor: op %s: %w", in.name, err)
	}
	for i := range in.in {
		if err := f.refresh(i); err != nil {
			return fmt.Errorf("tensor: op %s: %w", in.name, err)
		}
	}
	return nil
}

// refresh points operand i at its memory, where that is known and has moved.
func (f *foreign) refresh(i int) error {
	ptr, n := f.call.In[i].Ptr, f.values[i].node
	if s := f.staging(f.call, i, f.values[i]); s != nil {
		ptr = unsafe.Pointer(unsafe.SliceData(s))
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
		if s := f.staging(c, i, f.values[i]); s != nil {
			live := v.Len * int(v.Dtype.Size())
			copy(s, bytesOf(v.Ptr, live))
			clear(s[live:])
		} else if v.Ptr != f.headers[i] {
			if err := f.refresh(i); err != nil {
				panic(err)
			}
		}
	}
	var r gorgonia.Value
	var err error
	if op, ok := f.op.(gorgonia.UsePreallocDoer); ok {
		clear(bytesOf(f.outPtr, f.outSize))
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

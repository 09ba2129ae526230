package tensor

import (
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"sync/atomic"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
)

// Spec describes an op: what Apply turns into nodes.
type Spec struct {
	Name string
	Out  []Output
	// Differentiable says for each input whether a gradient can be asked for.
	Differentiable []bool
	// Gradient builds the gradients of the inputs; nil for an op without any.
	Gradient func(b *Backward) Nodes
	Kernel   Kernel
	// Scratch is the number of bytes of working memory that a run needs.
	Scratch int
	// Stateful marks an op that changes memory outside its outputs (a cache):
	// it is never recomputed.
	Stateful bool
}

// Output describes one output of an op.
type Output struct {
	Shape Shape
	Dtype Dtype
	// Axis is 1 + the index of the input whose leading axis this output shares;
	// 0 where the leading axis does not follow any input. It is how the live
	// number of rows of a batch reaches every op.
	Axis int
	// InPlace is 1 + the index of an input whose memory this output may take
	// over, where that input is not needed later; 0 for none. A kernel that
	// allows it must work when the two are the same memory.
	InPlace int
	// Accumulates says that the kernel honours Call.Acc for this output.
	Accumulates bool
}

// Backward is what an op's Gradient sees. Grad has one entry an output: nil
// where the output does not influence the loss, and at least one that is not.
// The returned list has one entry an input; entries are read only where Need.
type Backward struct {
	In, Out, Grad Nodes
	Need          []bool
}

// group ties the outputs of one application of an op together: they become one
// instruction with several outputs.
type group struct {
	spec    Spec
	id      uint64
	outputs Nodes // every output node, in order
}

// Op is one output of an applied op. It implements Gorgonia's Op and SDOp, so
// the graph also runs under Gorgonia's own machines.
type Op struct {
	group *group
	index int
	in    []hm.Type
}

var _ gorgonia.SDOp = (*Op)(nil)

// opIDs makes every application of an op unlike every other, because Gorgonia
// merges nodes of equal hash without comparing what they are. It never
// influences results.
var opIDs atomic.Uint64

// Apply adds an op to the graph and returns a node for each output.
func Apply(s Spec, in ...*Node) Nodes {
	if len(in) == 0 {
		fail("%s: an op needs an input", s.Name)
	}
	if len(s.Differentiable) != len(in) {
		fail("%s: %d differentiability flags for %d inputs", s.Name, len(s.Differentiable), len(in))
	}
	types := make([]hm.Type, len(in))
	for i, c := range in {
		if c == nil {
			fail("%s: input %d is nil", s.Name, i)
		}
		types[i] = c.Type()
	}
	gr := &group{spec: s, id: opIDs.Add(1)}
	for i := range s.Out {
		op := &Op{group: gr, index: i, in: types}
		// ApplyOp keeps the slice it is given.
		n, err := gorgonia.ApplyOp(op, append(Nodes(nil), in...)...)
		if err != nil {
			fail("%s: %v", s.Name, err)
		}
		if n.Op() != gorgonia.Op(op) {
			fail("%s: Gorgonia merged the node with %v", s.Name, n)
		}
		gr.outputs = append(gr.outputs, n)
	}
	return append(Nodes(nil), gr.outputs...)
}

// Arity is the number of inputs.
func (o *Op) Arity() int { return len(o.in) }

// Type is made afresh on each call: Gorgonia returns it to a pool after use.
func (o *Op) Type() hm.Type {
	ts := make([]hm.Type, 0, len(o.in)+1)
	ts = append(ts, o.in...)
	return hm.NewFnType(append(ts, o.result())...)
}

func (o *Op) out() *Output { return &o.group.spec.Out[o.index] }

func (o *Op) result() hm.Type {
	out := o.out()
	if len(out.Shape) == 0 {
		return out.Dtype
	}
	return gorgonia.TensorType{Dims: len(out.Shape), Of: out.Dtype}
}

// InferShape returns the shape that the spec declared.
func (o *Op) InferShape(...gorgonia.DimSizer) (Shape, error) { return o.out().Shape.Clone(), nil }

// ReturnsPtr is part of Gorgonia's protocol.
func (o *Op) ReturnsPtr() bool { return true }

// CallsExtern is part of Gorgonia's protocol.
func (o *Op) CallsExtern() bool { return false }

// OverwritesInput is part of Gorgonia's protocol: in-place work is decided by
// our compiler, never by Gorgonia's.
func (o *Op) OverwritesInput() int { return -1 }

// WriteHash writes what makes this op unlike any other.
func (o *Op) WriteHash(h hash.Hash) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], o.group.id)
	binary.LittleEndian.PutUint64(b[8:], uint64(o.index))
	h.Write([]byte(o.group.spec.Name))
	h.Write(b[:])
}

// Hashcode is the 32-bit form of WriteHash.
func (o *Op) Hashcode() uint32 { h := fnv.New32a(); o.WriteHash(h); return h.Sum32() }

// String is the op's name, with the output's index where there are several.
func (o *Op) String() string {
	if o.index == 0 {
		return o.group.spec.Name
	}
	return fmt.Sprintf("%s#%d", o.group.spec.Name, o.index)
}

// DiffWRT says for each input whether it can be differentiated.
func (o *Op) DiffWRT(n int) []bool {
	d := make([]bool, n)
	if o.group.spec.Gradient != nil {
		copy(d, o.group.spec.Differentiable)
	}
	return d
}

// SymDiff serves Gorgonia's own Grad, one output at a time. Our Gradients hands
// an op the gradients of all its outputs at once.
func (o *Op) SymDiff(in Nodes, _, grad *Node) (gs Nodes, err error) {
	defer func() {
		if r := recover(); r != nil {
			fault, ok := r.(buildFault)
			if !ok {
				panic(r)
			}
			err = fault.err
		}
	}()
	b := &Backward{In: append(Nodes(nil), in...), Out: o.group.outputs, Grad: make(Nodes, len(o.group.outputs)), Need: o.DiffWRT(len(in))}
	b.Grad[o.index] = grad
	return o.group.spec.Gradient(b), nil
}

// Do runs the CPU kernel once with memory of its own, which makes Gorgonia's
// machines a free reference for tests. It is slow.
func (o *Op) Do(vs ...gorgonia.Value) (gorgonia.Value, error) {
	c := &Call{In: make([]View, len(vs)), Out: make([]View, len(o.group.spec.Out)), Acc: make([]bool, len(o.group.spec.Out))}
	for i, v := range vs {
		c.In[i] = viewOf(v)
	}
	out := o.out()
	v := newValue(out.Dtype, out.Shape)
	c.Out[o.index] = viewOf(v)
	c.Scratch = alignedBytes(o.group.spec.Scratch)
	DefaultDevice().equip(c)
	c.Random = &Random{}
	return v, runKernel(o.group.spec.Name, o.group.spec.Kernel, c)
}

// runKernel turns a panic of a kernel into an error that names the op.
func runKernel(name string, k Kernel, c *Call) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("tensor: op %s: %v", name, r)
		}
	}()
	k(c)
	return nil
}

package tensor

import (
	"fmt"
	"unsafe"

	"github.com/posttrain/posttrain/internal/kernel"
	"gorgonia.org/gorgonia"
)

// Axis is a leading axis whose live size is set before each run. The graph is
// built with its capacity; kernels compute live rows only.
type Axis struct {
	Name   string
	Inputs Nodes // inputs whose leading dimension is this axis
}

// Accumulation asks that a gradient be added to a parameter's accumulator.
type Accumulation struct {
	Grad *Node
	Into *Param
}

// CompileOptions control Compile. The zero value compiles for the default
// device with a planned arena.
type CompileOptions struct {
	Device     *Device // nil: DefaultDevice
	Arena      *Arena  // nil: an arena of the program's own
	Axes       []Axis
	Accumulate []Accumulation
	// Checkpoints turn recomputation on (gradient checkpointing): values between
	// two of these nodes are computed again in the backward pass instead of
	// being kept. List the residual stream after each layer, first layer first.
	Checkpoints Nodes
	Debug       Debug
}

// Debug selects expensive checks.
type Debug struct {
	NoReuse   bool // every value has memory of its own
	NoInPlace bool // no op overwrites an operand
	Poison    bool // fill the arena with NaN before each run
	WatchNaN  bool // fail at the first instruction that produces a NaN or an infinity, naming it
	Timing    bool // measure every instruction; see Program.Timings
}

// value is one operand of the instruction list: a node's contents.
type value struct {
	node *Node
	buf  int
	axis int  // index of its dynamic leading axis, or -1
	size int  // elements at full capacity; asking the node would allocate
	out  bool // the caller reads it after a run
}

// buffer is a piece of memory with one lifetime.
type buffer struct {
	size     int // bytes
	off      int // in the arena
	def, end int // first and last instruction that needs it; def -1 before any
	external bool
	pinned   bool
	memory   unsafe.Pointer // of an accumulator
}

// instruction is one step of a program.
type instruction struct {
	name    string
	kernel  Kernel
	spec    *Spec // nil for Gorgonia's ops and for the compiler's own
	node    *Node
	in, out []int // values; -1 in out for an output nobody wants
	inPlace []int // per output: operand whose memory it may take, or -1
	acc     []bool
	scratch int  // buffer, or -1
	segment int  // of recomputation; 0 for none
	again   bool // recomputed in the backward pass
	foreign *foreign
	call    Call
}

// Compile turns the part of the graph below outs, and below the gradients to
// accumulate, into a program. The memory of outs is kept until the next run.
// It fails for a graph that our reverse pass or Gorgonia left inconsistent, for
// dtypes no kernel knows, and when axes disagree.
func Compile(g *Graph, outs Nodes, o CompileOptions) (*Program, error) {
	for _, a := range o.Accumulate {
		if !a.Into.Trainable() {
			return nil, fmt.Errorf("%w: parameter %s has no gradient accumulator", ErrBuild, a.Into.Name())
		}
	}
	p, err := newProgram(g, outs, o)
	if err != nil {
		return nil, err
	}
	return p, p.link()
}

// DryPlan says how much memory the program would need, without allocating it.
// Parameters need no accumulator yet.
func DryPlan(g *Graph, outs Nodes, o CompileOptions) (Plan, error) {
	p, err := newProgram(g, outs, o)
	if err != nil {
		return Plan{}, err
	}
	return p.plan, nil
}

func newProgram(g *Graph, outs Nodes, o CompileOptions) (p *Program, err error) {
	buildLock.Lock()
	defer buildLock.Unlock()
	defer func() {
		if r := recover(); r != nil {
			fault, ok := r.(buildFault)
			if !ok {
				panic(r)
			}
			p, err = nil, fault.err
		}
	}()
	if o.Device == nil {
		o.Device = DefaultDevice()
	}
	if o.Arena == nil {
		o.Arena = &Arena{}
	}
	c := newCompiler(g, outs, o)
	c.inputHashes()
	c.checkCheckpoints()
	c.translate()
	if len(o.Checkpoints) > 0 {
		c.recompute()
	}
	c.lifetimes()
	if !o.Debug.NoInPlace {
		c.mergeInPlace()
	}
	plan := c.place()
	p = &Program{graph: g, device: o.Device, arena: o.Arena, debug: o.Debug, ins: c.ins, values: c.values, buffers: c.buffers, byNode: c.byNode, axes: c.axes, plan: plan}
	p.random = &Random{}
	return p, nil
}

// compiler holds the state of one compilation.
type compiler struct {
	g       *Graph
	o       CompileOptions
	pinned  map[*Node]bool
	kids    map[*Node]Nodes
	order   Nodes
	users   map[*Node]int
	into    map[*Node][]*Param
	axisOf  map[*Node]int
	axes    []liveAxis
	ins     []instruction
	values  []value
	buffers []buffer
	byNode  map[*Node]int
	groups  map[*group]int
	reused  int
	again   int
}

// liveAxis is a dynamic leading axis of a program.
type liveAxis struct {
	name     string
	capacity int
	live     int
}

func newCompiler(g *Graph, outs Nodes, o CompileOptions) *compiler {
	c := &compiler{
		g: g, o: o, pinned: map[*Node]bool{}, kids: map[*Node]Nodes{}, users: map[*Node]int{},
		into: map[*Node][]*Param{}, axisOf: map[*Node]int{}, byNode: map[*Node]int{}, groups: map[*group]int{},
	}
	roots := append(Nodes(nil), outs...)
	for _, n := range outs {
		c.pinned[n] = true
	}
	for _, a := range o.Accumulate {
		c.into[a.Grad] = append(c.into[a.Grad], a.Into)
		roots = append(roots, a.Grad)
	}
	c.order = reachable(g, roots, c.kids)
	for _, n := range c.order {
		for _, k := range c.kids[n] {
			c.users[k]++
		}
	}
	for i, a := range o.Axes {
		for _, n := range a.Inputs {
			if n.Op() != nil || n.Dims() == 0 {
				fail("axis %s: %v is not an input with a leading dimension", a.Name, n)
			}
			if got := n.Shape()[0]; n != a.Inputs[0] && got != a.Inputs[0].Shape()[0] {
				fail("axis %s: input %s has %d rows, %s has %d", a.Name, n.Name(), got, a.Inputs[0].Name(), a.Inputs[0].Shape()[0])
			}
			c.axisOf[n] = i
		}
		if len(a.Inputs) == 0 {
			fail("axis %s has no input", a.Name)
		}
		n := a.Inputs[0].Shape()[0]
		c.axes = append(c.axes, liveAxis{a.Name, n, n})
	}
	return c
}

// translate makes the instruction list in id order: a topological order in which
// each weight gradient follows right after the gradient of its layer's input.
func (c *compiler) translate() {
	for _, n := range c.order {
		switch op := n.Op().(type) {
		case nil:
			c.newValue(n, true)
		case *Op:
			if op.group.spec.Name == followName {
				c.addFollow(n)
				break
			}
			c.addOurs(n, op)
		case interface{ Value() gorgonia.Value }: // Gorgonia's constants
			c.newValue(n, true)
		default:
			c.addForeign(n)
		}
		for _, p := range c.into[n] {
			c.addAccumulation(n, p)
		}
	}
}

func (c *compiler) newValue(n *Node, external bool) int {
	elems := elements(n.Shape())
	size := (elems*int(n.Dtype().Size()) + alignment - 1) &^ (alignment - 1)
	c.buffers = append(c.buffers, buffer{size: size, def: -1, end: -1, external: external, pinned: c.pinned[n]})
	ax, ok := c.axisOf[n]
	if !ok {
		ax = -1
	}
	c.values = append(c.values, value{node: n, buf: len(c.buffers) - 1, axis: ax, size: elems, out: c.pinned[n]})
	c.byNode[n] = len(c.values) - 1
	return len(c.values) - 1
}

// operands are the values of the children of n.
func (c *compiler) operands(n *Node) []int {
	ids := make([]int, len(c.kids[n]))
	for i, k := range c.kids[n] {
		id, ok := c.byNode[k]
		if !ok {
			fail("node ids are not a topological order at %v", n)
		}
		ids[i] = id
	}
	return ids
}

// addOurs books one output of one of our ops; the first creates the instruction.
func (c *compiler) addOurs(n *Node, op *Op) {
	at, ok := c.groups[op.group]
	if !ok {
		at = len(c.ins)
		c.groups[op.group] = at
		c.ins = append(c.ins, c.newInstruction(n, &op.group.spec))
	}
	in := &c.ins[at]
	if a := op.out().Axis; a > 0 {
		if ax := c.values[in.in[a-1]].axis; ax >= 0 {
			if n.Shape()[0] != c.axes[ax].capacity {
				fail("%v: %d rows on axis %s of %d", n, n.Shape()[0], c.axes[ax].name, c.axes[ax].capacity)
			}
			c.axisOf[n] = ax
		}
	}
	v := c.newValue(n, false)
	in.out[op.index] = v
	// A gradient that only feeds one accumulator is computed right into it.
	if ps := c.into[n]; len(ps) == 1 && op.out().Accumulates && c.users[n] == 0 && !c.pinned[n] {
		b := &c.buffers[c.values[v].buf]
		b.external, b.memory = true, ps[0].accumulator()
		in.acc[op.index] = true
		delete(c.into, n)
		c.checkAccumulator(n, ps[0])
	}
}

func (c *compiler) newInstruction(n *Node, s *Spec) instruction {
	in := instruction{name: s.Name, kernel: s.Kernel, spec: s, node: n, in: c.operands(n), scratch: -1,
		out: make([]int, len(s.Out)), inPlace: make([]int, len(s.Out)), acc: make([]bool, len(s.Out)), segment: c.segmentOf(n)}
	for i, o := range s.Out {
		in.out[i], in.inPlace[i] = -1, o.InPlace-1
	}
	if s.Scratch > 0 {
		in.scratch = c.newScratch(s.Scratch)
	}
	return in
}

func (c *compiler) newScratch(bytes int) int {
	c.buffers = append(c.buffers, buffer{size: (bytes + alignment - 1) &^ (alignment - 1), def: -1, end: -1})
	return len(c.buffers) - 1
}

func (c *compiler) checkAccumulator(n *Node, p *Param) {
	if want := p.accumulatorDtype(); n.Dtype() != want || elements(n.Shape()) != p.Len() {
		fail("gradient of %s: %v %v does not fit its accumulator %v %v", p.Name(), n.Dtype(), n.Shape(), want, p.Shape())
	}
}

// addAccumulation adds a gradient to a parameter's accumulator where its kernel
// cannot do that itself.
func (c *compiler) addAccumulation(n *Node, p *Param) {
	c.checkAccumulator(n, p)
	c.buffers = append(c.buffers, buffer{size: p.Len() * int(n.Dtype().Size()), def: -1, end: -1, external: true, memory: p.accumulator()})
	c.values = append(c.values, value{node: n, buf: len(c.buffers) - 1, axis: -1, size: p.Len()})
	c.ins = append(c.ins, instruction{name: "accumulate " + p.Name(), kernel: accumulateKernel(n.Dtype()), node: n, scratch: -1,
		in: []int{c.byNode[n]}, out: []int{len(c.values) - 1}, inPlace: []int{-1}, acc: []bool{true}})
}

// accumulateKernel adds its operand to its output.
func accumulateKernel(dt Dtype) Kernel {
	if dt == Float64 {
		return addTo[float64]()
	}
	return addTo[float32]()
}

func addTo[T Float]() Kernel {
	body := func(c *Call, lo, hi, _ int) {
		dst := Slice[T](&c.Out[0])[lo:hi]
		kernel.Add(dst, dst, Slice[T](&c.In[0])[lo:hi])
	}
	return func(c *Call) { c.Parallel(c.In[0].Len, elementGrain, body) }
}

// accumulator is the memory of p's gradient.
func (p *Param) accumulator() unsafe.Pointer {
	if p.grad64 != nil {
		return unsafe.Pointer(unsafe.SliceData(p.grad64))
	}
	return unsafe.Pointer(unsafe.SliceData(p.grad32))
}

func (p *Param) accumulatorDtype() Dtype {
	if p.dtype == Float64 {
		return Float64
	}
	return Float32
}

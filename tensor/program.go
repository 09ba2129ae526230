package tensor

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"gorgonia.org/gorgonia"
)

// Program is a compiled graph: a list of instructions over one planned arena.
// It implements Gorgonia's VM. One goroutine runs a program at a time; programs
// may share parameters, and an arena when they never run at the same time.
type Program struct {
	graph   *Graph
	device  *Device
	arena   *Arena
	debug   Debug
	ins     []instruction
	values  []value
	buffers []buffer
	byNode  map[*Node]int
	axes    []liveAxis
	plan    Plan
	random  *Random
	inputs  []boundInput
	inputOf map[*Node]int
	passed  map[int]*View // outputs that are inputs, by value
	version int           // of the arena the views point into
	resized bool
	timings []time.Duration
	at      int // the instruction that runs
	closed  bool
}

var errClosed = errors.New("tensor: program is closed")

var _ gorgonia.VM = (*Program)(nil)

// boundInput is external memory of an input and the operands that read it.
type boundInput struct {
	node  *Node
	axis  int
	size  int  // elements at full capacity
	bound bool // by Bind; otherwise the node's Gorgonia value counts
	ptr   unsafe.Pointer
	len   int
	views []*View
}

// link allocates the arena and points every operand at its memory.
func (p *Program) link() error {
	p.inputOf = map[*Node]int{}
	scratch := p.arena.gemmScratch(p.device.Threads())
	for i := range p.ins {
		in := &p.ins[i]
		c := &in.call
		c.Pool, c.GEMM, c.Random, c.Acc = p.device.pool, scratch, p.random, in.acc
		c.Out, c.In = make([]View, len(in.out)), make([]View, len(in.in))
		for k, v := range in.out {
			c.Out[k] = p.newView(v)
		}
		for k, v := range in.in {
			c.In[k] = p.newView(v)
			p.watch(v, &c.In[k])
		}
		if in.foreign != nil {
			in.kernel = in.foreign.run
		}
	}
	p.passed = map[int]*View{}
	for v := range p.values {
		if b := &p.buffers[p.values[v].buf]; p.values[v].out && b.external && b.memory == nil {
			view := p.newView(v)
			p.passed[v] = &view
			p.watch(v, &view)
		}
	}
	p.resized = true
	return p.relocate()
}

func (p *Program) newView(v int) View {
	if v < 0 {
		return View{}
	}
	n := p.values[v].node
	return View{Shape: n.Shape().Clone(), Len: elements(n.Shape()), Dtype: n.Dtype()}
}

// watch books an operand that lives in an input's memory.
func (p *Program) watch(v int, view *View) {
	b := &p.buffers[p.values[v].buf]
	if !b.external || b.memory != nil {
		return
	}
	n := p.values[v].node
	at, ok := p.inputOf[n]
	if !ok {
		at = len(p.inputs)
		p.inputOf[n] = at
		p.inputs = append(p.inputs, boundInput{node: n, axis: p.values[p.byNode[n]].axis, size: p.values[v].size})
	}
	p.inputs[at].views = append(p.inputs[at].views, view)
}

// relocate points operands into the arena, after it was made or grew.
func (p *Program) relocate() error {
	p.arena.reserve(p.plan.Arena)
	p.version = p.arena.version
	for i := range p.ins {
		in := &p.ins[i]
		for k, v := range in.out {
			p.place(&in.call.Out[k], v)
		}
		for k, v := range in.in {
			p.place(&in.call.In[k], v)
		}
		if in.scratch >= 0 {
			b := &p.buffers[in.scratch]
			in.call.Scratch = p.arena.memory[b.off : b.off+b.size : b.off+b.size]
		}
		if in.foreign != nil {
			if err := in.foreign.prepare(p, in); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Program) place(view *View, v int) {
	if v < 0 {
		return
	}
	switch b := &p.buffers[p.values[v].buf]; {
	case b.memory != nil:
		view.Ptr = b.memory
	case !b.external:
		view.Ptr = unsafe.Pointer(&p.arena.memory[b.off])
	}
}

// SetLive sets the live size of a dynamic axis for the runs that follow.
func (p *Program) SetLive(name string, n int) error {
	for i := range p.axes {
		a := &p.axes[i]
		if a.name != name {
			continue
		}
		if n < 0 || n > a.capacity {
			return fmt.Errorf("tensor: axis %s: live size %d, want 0 to %d", name, n, a.capacity)
		}
		p.resized = p.resized || a.live != n
		a.live = n
		return nil
	}
	return fmt.Errorf("tensor: program has no axis %q", name)
}

// Capacity is the largest live size of an axis; 0 for an unknown one.
func (p *Program) Capacity(name string) int {
	for i := range p.axes {
		if p.axes[i].name == name {
			return p.axes[i].capacity
		}
	}
	return 0
}

// Bind sets the memory of an input for the runs that follow, without copying:
// data must stay unchanged while the program runs, and hold at least the live
// rows. An input that the program does not need is accepted and ignored.
func Bind[T Element](p *Program, n *Node, data []T) error {
	at, ok := p.inputOf[n]
	if !ok {
		return nil
	}
	if dt := dtypeOf[T](); dt != n.Dtype() {
		return fmt.Errorf("tensor: input %s: got %v, want %v", n.Name(), dt, n.Dtype())
	}
	b := &p.inputs[at]
	if b.axis < 0 && len(data) != b.size {
		return fmt.Errorf("tensor: input %s: got %d elements, want %d", n.Name(), len(data), b.size)
	}
	b.bound, b.len = true, len(data)
	b.set(unsafe.Pointer(unsafe.SliceData(data)))
	return nil
}

func (b *boundInput) set(ptr unsafe.Pointer) {
	b.ptr = ptr
	for _, v := range b.views {
		v.Ptr = ptr
	}
}

// SetRandom sets what the program's random numbers are keyed by.
func (p *Program) SetRandom(seed, step uint64) { p.random.Seed, p.random.Step = seed, step }

// Run executes the program once. A kernel's panic becomes an error that names
// the op; the program can be run again afterwards.
func (p *Program) Run() (err error) {
	p.at = -1
	defer p.rescue(&err)
	if p.closed {
		return errClosed
	}
	if p.version != p.arena.version {
		if err := p.relocate(); err != nil {
			return err
		}
	}
	if err := p.resolve(); err != nil {
		return err
	}
	if p.debug != (Debug{}) {
		return p.runDebug()
	}
	for p.at = range p.ins {
		in := &p.ins[p.at]
		in.kernel(&in.call)
	}
	return nil
}

// rescue turns a kernel's panic into an error.
func (p *Program) rescue(err *error) {
	r := recover()
	if r == nil {
		return
	}
	name := "start"
	if p.at >= 0 {
		name = p.ins[p.at].name
	}
	*err = fmt.Errorf("tensor: instruction %d (%s): %v", p.at, name, r)
}

// resolve re-reads the memory of inputs and applies new live sizes.
func (p *Program) resolve() error {
	for i := range p.inputs {
		b := &p.inputs[i]
		if !b.bound {
			v := b.node.Value()
			if v == nil {
				return fmt.Errorf("tensor: input %s is not bound", b.node.Name())
			}
			b.len = elements(v.Shape())
			if ptr := pointer(v); ptr != b.ptr {
				b.set(ptr)
			}
		}
		if want := p.liveElements(b); b.len < want {
			return fmt.Errorf("tensor: input %s: %d elements bound, want %d", b.node.Name(), b.len, want)
		}
	}
	if p.resized {
		p.resize()
	}
	return nil
}

func (p *Program) liveElements(b *boundInput) int {
	if b.axis < 0 {
		return b.size
	}
	a := &p.axes[b.axis]
	return b.size / a.capacity * a.live
}

func (p *Program) resize() {
	for i := range p.ins {
		in := &p.ins[i]
		for k, v := range in.out {
			p.resizeView(&in.call.Out[k], v)
		}
		for k, v := range in.in {
			p.resizeView(&in.call.In[k], v)
		}
	}
	p.resized = false
}

func (p *Program) resizeView(view *View, v int) {
	if v < 0 || p.values[v].axis < 0 {
		return
	}
	a := &p.axes[p.values[v].axis]
	view.Shape[0] = a.live
	view.Len = p.values[v].size / a.capacity * a.live
}

// Values is the memory of an output of the program after a run: live rows only,
// valid until the next run of a program on the same arena. It fails for a node
// that was not among Compile's outputs, because its memory may have been used
// again.
func Values[T Element](p *Program, n *Node) ([]T, error) {
	if p.closed {
		return nil, errClosed
	}
	if p.version != p.arena.version {
		return nil, fmt.Errorf("tensor: output %v: the arena was replaced since the program ran", n)
	}
	v, ok := p.byNode[n]
	if !ok || !p.values[v].out {
		return nil, fmt.Errorf("tensor: %v is not an output of the program", n)
	}
	if dt := dtypeOf[T](); dt != n.Dtype() {
		return nil, fmt.Errorf("tensor: output %v: got %v, want %v", n, dt, n.Dtype())
	}
	size := p.values[v].size
	if ax := p.values[v].axis; ax >= 0 {
		size = size / p.axes[ax].capacity * p.axes[ax].live
	}
	if size == 0 {
		return nil, nil
	}
	ptr := p.outputMemory(v)
	if ptr == nil {
		return nil, fmt.Errorf("tensor: output %v is an input that is not bound", n)
	}
	return unsafe.Slice((*T)(ptr), size), nil
}

// outputMemory is where an output lies: in the arena, or, where it is an input
// unchanged, in the caller's memory.
func (p *Program) outputMemory(v int) unsafe.Pointer {
	if in := p.passed[v]; in != nil {
		return in.Ptr
	}
	return unsafe.Pointer(&p.arena.memory[p.buffers[p.values[v].buf].off])
}

// Plan is the program's memory plan.
func (p *Program) Plan() Plan { return p.plan }

// RunAll is Run under the name that Gorgonia's VM interface gives it. It also
// binds the outputs to their nodes, so that node.Value() works; rows past the
// live ones of a dynamic axis hold rubbish there.
func (p *Program) RunAll() error {
	if err := p.Run(); err != nil {
		return err
	}
	for n, v := range p.byNode {
		if !p.values[v].out || n.Op() == nil {
			continue
		}
		w, err := wrap(p.outputMemory(v), n.Dtype(), n.Shape())
		if err == nil {
			err = gorgonia.UnsafeLet(n, w)
		}
		if err != nil {
			return fmt.Errorf("tensor: output %v: %w", n, err)
		}
	}
	return nil
}

// Reset does nothing; it is part of Gorgonia's VM interface.
func (p *Program) Reset() {}

// Close releases the program's memory. The program cannot run afterwards.
func (p *Program) Close() error {
	p.ins, p.inputs, p.inputOf, p.arena, p.closed = nil, nil, nil, &Arena{}, true
	return nil
}

// ErrNotFinite is wrapped by the error of a run that produced a NaN or an
// infinity while Debug.WatchNaN was on.
var ErrNotFinite = errors.New("not a finite number")

// Nodes lists the program's instructions as op names, in order.
func (p *Program) Nodes() []string {
	names := make([]string, 0, len(p.ins))
	for i := range p.ins {
		names = append(names, p.ins[i].name)
	}
	return slices.Clip(names)
}

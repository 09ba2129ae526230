package tensor

import (
	"unsafe"

	"github.com/posttrain/posttrain/internal/kernel"
)

// View is the memory of one operand as a kernel sees it: row-major and
// contiguous. Where the leading axis is dynamic, Shape[0] and Len are the live
// sizes of this run, not the capacity the graph was built with: rows past
// Shape[0] hold rubbish and must be neither read nor written.
type View struct {
	Ptr   unsafe.Pointer
	Len   int // elements
	Shape Shape
	Dtype Dtype
}

// Rows is the live size of the leading axis; 1 for a scalar.
func (v *View) Rows() int {
	if len(v.Shape) == 0 {
		return 1
	}
	return v.Shape[0]
}

// Cols is the number of elements in one row of the leading axis.
func (v *View) Cols() int {
	n := 1
	for i := 1; i < len(v.Shape); i++ {
		n *= v.Shape[i]
	}
	return n
}

// Wanted says whether anybody reads this output; a kernel skips the others.
func (v *View) Wanted() bool { return v.Ptr != nil }

// Slice is the memory of v as a slice; nil for an output nobody wants. The
// caller guarantees that T is the element type of v.
func Slice[T Element](v *View) []T {
	if v.Ptr == nil {
		return nil
	}
	return unsafe.Slice((*T)(v.Ptr), v.Len)
}

// Kernel computes the outputs of one instruction. It is called by one goroutine
// at a time with the same Call in every run, and allocates nothing in a steady
// state.
type Kernel func(c *Call)

// Call is one instruction as its kernel sees it.
type Call struct {
	Out, In []View
	Acc     []bool // Acc[i]: add to output i instead of overwriting it
	Scratch []byte // as many bytes as Spec.Scratch asked for, 64-byte aligned, contents arbitrary
	Pool    *kernel.Pool
	GEMM    *kernel.Scratch // packing buffers of matrix products, shared by the instructions of a program
	Random  *Random         // state of the program's counter-based randomness
	State   any             // whatever the kernel wants to keep between runs to avoid allocation; nil at first

	gemm kernel.Gemm
	body func(c *Call, lo, hi, worker int)
	n    int
	step int
}

// Random identifies the random numbers of a run: results depend on Seed and
// Step, on the op's own salt and on the position, and on nothing else.
type Random struct {
	Seed uint64
	Step uint64
}

// Parallel splits [0, n) into pieces of at least grain elements and runs body
// on them on all workers. body must not allocate: make it once, not inside the
// kernel. The split does not depend on the number of workers.
func (c *Call) Parallel(n, grain int, body func(c *Call, lo, hi, worker int)) {
	if n <= 0 {
		return
	}
	if n <= grain || c.Pool == nil {
		body(c, 0, n, 0)
		return
	}
	c.body, c.n, c.step = body, n, max(grain, 1)
	c.Pool.Run(c, (n+c.step-1)/c.step)
}

// Do runs one piece of Parallel; it makes Call a kernel.Task.
func (c *Call) Do(chunk, worker int) {
	lo := chunk * c.step
	c.body(c, lo, min(lo+c.step, c.n), worker)
}

// NewGemm returns the call's own matrix product, cleared, so that kernels need
// not allocate one.
func (c *Call) NewGemm() *kernel.Gemm {
	c.gemm = kernel.Gemm{}
	return &c.gemm
}

// Multiply runs g on the program's workers.
func (c *Call) Multiply(g *kernel.Gemm) { g.Run(c.Pool, c.GEMM) }

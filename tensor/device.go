package tensor

import (
	"sync"
	"unsafe"

	"github.com/posttrain/posttrain/internal/kernel"
	"gorgonia.org/gorgonia"
)

// buildLock serialises graph building and compiling: Gorgonia's graphs write
// look-up maps when they are read.
var buildLock sync.Mutex

// init settles constants inside Gorgonia that are written on first use, so that
// graphs can be built by several goroutines (see docs/adr/0002).
func init() {
	for _, dt := range []Dtype{Float32, Float64} {
		g := gorgonia.NewGraph()
		x := gorgonia.NewVector(g, dt, gorgonia.WithShape(2), gorgonia.WithName("x"))
		y := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Square(x))))
		if _, err := gorgonia.Grad(y, x); err != nil {
			panic("tensor: Gorgonia cannot differentiate a square: " + err.Error())
		}
	}
}

// Device runs programs. The CPU is the only device of this package; its workers
// are shared by every program that runs on it.
type Device struct {
	pool *kernel.Pool

	mu      sync.Mutex
	scratch *kernel.Scratch // for Op.Do only
}

// NewDevice returns a CPU device with its own workers. Threads is the number of
// cores it uses; 0 means all that Go may use. Results do not depend on it.
func NewDevice(threads int) *Device {
	return &Device{pool: kernel.NewPool(threads)}
}

var defaultDevice = sync.OnceValue(func() *Device { return NewDevice(0) })

// DefaultDevice is the device that programs use when their options name none:
// all cores, made on first use and shared by the process.
func DefaultDevice() *Device { return defaultDevice() }

// Threads is the number of cores that d uses.
func (d *Device) Threads() int { return d.pool.Workers() }

// Parallel calls t.Do for every chunk in [0, chunks) on d's cores and returns
// when all are done. Worker is below Threads, and no two chunks run on one worker
// at the same time; which one runs a chunk must not influence results.
func (d *Device) Parallel(t interface{ Do(chunk, worker int) }, chunks int) { d.pool.Run(t, chunks) }

// Close stops the device's workers. No program may use it afterwards.
func (d *Device) Close() { d.pool.Close() }

// equip gives a call that runs outside a program what kernels expect.
func (d *Device) equip(c *Call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.scratch == nil {
		d.scratch = kernel.NewScratch(d.pool.Workers())
	}
	c.Pool, c.GEMM = d.pool, d.scratch
}

// Arena is memory shared by programs that never run at the same time, such as
// the training and the evaluation program of one trainer. The zero value is
// ready to use.
type Arena struct {
	memory  []byte
	version int
	packing *kernel.Scratch
	threads int // that packing has room for
}

// Bytes is the size of the arena at present.
func (a *Arena) Bytes() int { return len(a.memory) }

// reserve grows the arena to n bytes; programs notice by its version.
func (a *Arena) reserve(n int) {
	if n > len(a.memory) {
		a.memory = alignedBytes(n)
		a.version++
	}
}

// gemmScratch is the memory in which matrix products reorder their operands. It
// grows on use to at most 32 MiB, and programs that share an arena share it.
func (a *Arena) gemmScratch(threads int) *kernel.Scratch {
	if a.packing == nil || a.threads < threads {
		a.packing, a.threads = kernel.NewScratch(threads), threads
	}
	return a.packing
}

const alignment = 64 // one cache line, one AVX-512 register

// alignedBytes allocates n zeroed bytes at a multiple of the alignment.
func alignedBytes(n int) []byte {
	if n == 0 {
		return nil
	}
	b := make([]byte, n+alignment)
	off := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (alignment - 1)
	return b[off : off+n : off+n]
}

// InstructionSet names the instructions that kernels use on this machine:
// generic, avx2 or avx512. The environment variable POSTTRAIN_ISA, read once,
// asks for a lower one.
func InstructionSet() string { return kernel.Level() }

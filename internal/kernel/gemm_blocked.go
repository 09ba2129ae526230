package kernel

import "unsafe"

// blockedGemm computes a product as Goto and van de Geijn (2008, "Anatomy of
// high-performance matrix multiplication") describe: panels of A and B are
// copied into the order the micro-kernel reads them, and a block of B panels
// stays in the second-level cache while A panels pass by. Operands that are
// already in a suitable order and are read only once or twice are not copied.
//
// Only M and N are split between workers; a worker runs all of K for its tile,
// so the number of workers does not influence results.
type blockedGemm struct {
	g     Gemm
	isa   level
	mr    int // rows of C a micro-kernel call covers
	nr    int // columns
	phase gemmPhase

	kc         int       // length of a K block: part of the numeric contract
	m, n, k    blockSpan // the super-block being computed
	packM      bool      // pack phase: A panels are due
	packN      bool      // pack phase: B panels are due
	copyA      bool
	copyB      bool
	mc, nc     int // tile size in the compute phase, multiples of mr and nr
	bufA, bufB []float32
}

type gemmPhase uint8

const (
	phasePack gemmPhase = iota
	phaseCompute
)

// blockSpan is a range of rows, columns or the inner dimension.
type blockSpan struct{ lo, hi int }

func (s blockSpan) len() int { return s.hi - s.lo }

const (
	maxKC      = 384     // K block
	superK     = 4608    // K super-block: at most 12 K blocks
	packFloats = 4 << 20 // packed floats of one operand, 16 MiB
	tileRows   = 112
	tileCols   = 512
	packGrain  = 4   // panels a pack chunk
	narrowRows = 512 // floats in a row of B that panels may be read from in place
)

// kBlock returns the length of a K block for inner dimension k.
func kBlock(k int) int {
	blocks := ceilDiv(k, maxKC)
	return ceilDiv(ceilDiv(k, blocks), 8) * 8
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func (b *blockedGemm) run(g *Gemm, p *Pool, worker int) {
	b.g, b.isa = *g, currentLevel()
	b.mr, b.nr = b.isa.tile()
	b.kc = kBlock(g.K)
	b.copyA = g.N > 2*b.nr || b.isa == levelGeneric
	b.copyB = g.TransB || g.BKind != None || b.isa == levelGeneric || g.M > 2*b.mr && (g.M > 10*b.mr || g.LDB > narrowRows)
	stepK := superK / b.kc * b.kc
	for k := 0; k < g.K; k += stepK {
		b.k = blockSpan{k, min(g.K, k+stepK)}
		b.runK(p, worker)
	}
	b.g = Gemm{} // keep no caller's memory alive
}

// runK adds the contribution of one K super-block.
func (b *blockedGemm) runK(p *Pool, worker int) {
	stepM, stepN := b.g.M, b.g.N
	if b.copyA {
		stepM = superStep(b.g.M, b.k.len(), b.mr)
	}
	if b.copyB {
		stepN = superStep(b.g.N, b.k.len(), b.nr)
	}
	for m := 0; m < b.g.M; m += stepM {
		b.m = blockSpan{m, min(b.g.M, m+stepM)}
		for n := 0; n < b.g.N; n += stepN {
			b.n = blockSpan{n, min(b.g.N, n+stepN)}
			b.packM = b.copyA && n == 0
			b.packN = b.copyB && (m == 0 || stepN < b.g.N)
			b.pack(p, worker)
			b.compute(p, worker)
		}
	}
}

// superStep splits rows evenly into super-blocks that fit the packing buffer,
// in multiples of the panel width.
func superStep(rows, k, panel int) int {
	return evenStep(rows, max(packFloats/k, panel), panel)
}

// evenStep splits n into equal steps of about limit, in multiples of panel.
func evenStep(n, limit, panel int) int {
	return ceilDiv(ceilDiv(n, ceilDiv(n, limit)), panel) * panel
}

func (b *blockedGemm) pack(p *Pool, worker int) {
	b.phase = phasePack
	if b.packM {
		b.bufA = growBuffer(b.bufA, ceilDiv(b.m.len(), b.mr)*b.strideA())
	}
	chunks := b.packChunksA()
	if b.packN {
		b.bufB = growBuffer(b.bufB, ceilDiv(b.n.len(), b.nr)*b.strideB())
		chunks += ceilDiv(ceilDiv(b.n.len(), b.nr), packGrain)
	}
	share(p, b, chunks, worker)
}

func (b *blockedGemm) packChunksA() int {
	if !b.packM {
		return 0
	}
	return ceilDiv(ceilDiv(b.m.len(), b.mr), packGrain)
}

// strideA is the distance between packed A panels. The slack takes the
// packers' full-width stores.
func (b *blockedGemm) strideA() int { return ceilDiv(b.mr*b.k.len(), 16)*16 + 16 }

func (b *blockedGemm) strideB() int { return b.nr * b.k.len() }

// compute runs the micro-kernels over tiles of about equal size, small enough
// that every worker gets some.
func (b *blockedGemm) compute(p *Pool, worker int) {
	b.phase = phaseCompute
	b.mc, b.nc = evenStep(b.m.len(), tileRows, b.mr), evenStep(b.n.len(), tileCols, b.nr)
	for want := b.wantTiles(p); b.tiles() < want; {
		if b.nc > b.nr && b.n.len() > b.nr && b.nc >= b.mc {
			b.nc = ceilDiv(min(b.nc, b.n.len()), 2*b.nr) * b.nr
		} else if b.mc > b.mr && b.m.len() > b.mr {
			b.mc = ceilDiv(min(b.mc, b.m.len()), 2*b.mr) * b.mr
		} else {
			break
		}
	}
	share(p, b, b.tiles(), worker)
}

func (b *blockedGemm) wantTiles(p *Pool) int {
	if p == nil || p.Workers() == 1 {
		return 1
	}
	return 4 * p.Workers()
}

func (b *blockedGemm) tiles() int { return ceilDiv(b.m.len(), b.mc) * ceilDiv(b.n.len(), b.nc) }

// share runs t on the pool, or on the calling worker when p is nil.
func share(p *Pool, t Task, chunks, worker int) {
	if p != nil {
		p.Run(t, chunks)
		return
	}
	for c := range chunks {
		t.Do(c, worker)
	}
}

// Do implements Task.
func (b *blockedGemm) Do(chunk, _ int) {
	if b.phase == phaseCompute {
		b.tile(chunk)
		return
	}
	chunksA := b.packChunksA()
	if chunk < chunksA {
		for i := chunk * packGrain; i < min((chunk+1)*packGrain, ceilDiv(b.m.len(), b.mr)); i++ {
			b.packPanelA(i)
		}
		return
	}
	chunk -= chunksA
	for j := chunk * packGrain; j < min((chunk+1)*packGrain, ceilDiv(b.n.len(), b.nr)); j++ {
		b.packPanelB(j)
	}
}

// tile computes one tile of C, K block after K block.
func (b *blockedGemm) tile(chunk int) {
	across := ceilDiv(b.m.len(), b.mc)
	i0, j0 := b.m.lo+chunk%across*b.mc, b.n.lo+chunk/across*b.nc
	i1, j1 := min(b.m.hi, i0+b.mc), min(b.n.hi, j0+b.nc)
	for k := b.k.lo; k < b.k.hi; k += b.kc {
		call := microCall{k: min(b.kc, b.k.hi-k), ldc: b.g.LDC, alpha: b.g.alpha()}
		if k > 0 || b.g.Accumulate {
			call.acc = 1
		}
		for i := i0; i < i1; i += b.mr {
			b.operandA(&call, i, k)
			call.rows = min(b.mr, i1-i)
			for j := j0; j < j1; j += b.nr {
				b.operandB(&call, j, k)
				call.cols = min(b.nr, j1-j)
				call.c = unsafe.Pointer(&b.g.C[i*b.g.LDC+j])
				b.isa.micro(&call)
			}
		}
	}
}

// operandA points the call at row i of op(A) from inner index k on.
func (b *blockedGemm) operandA(call *microCall, i, k int) {
	if b.copyA {
		panel := (i - b.m.lo) / b.mr
		call.a = unsafe.Pointer(&b.bufA[panel*b.strideA()+(k-b.k.lo)*b.mr])
		call.aRow, call.aK, call.packedA = 1, b.mr, true
		return
	}
	call.aRow, call.aK = strides(b.g.LDA, b.g.TransA)
	call.a = unsafe.Pointer(&b.g.A[i*call.aRow+k*call.aK])
}

// operandB points the call at column j of op(B) from inner index k on.
func (b *blockedGemm) operandB(call *microCall, j, k int) {
	if b.copyB {
		panel := (j - b.n.lo) / b.nr
		call.b = unsafe.Pointer(&b.bufB[panel*b.strideB()+(k-b.k.lo)*b.nr])
		call.bK, call.packedB = b.nr, true
		return
	}
	call.bK = b.g.LDB
	call.b = unsafe.Pointer(&b.g.B[k*b.g.LDB+j])
}

// growBuffer returns a buffer of at least n floats aligned to a cache line.
func growBuffer(buf []float32, n int) []float32 {
	if len(buf) >= n {
		return buf
	}
	raw := make([]float32, n+16)
	skip := (64 - uintptr(unsafe.Pointer(&raw[0]))%64) % 64 / 4
	return raw[skip:]
}

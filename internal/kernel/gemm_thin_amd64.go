//go:build amd64 && !purego

package kernel

import "unsafe"

// thinCall is one call of a thin kernel: four rows of W, one to four rows of
// A. The assembly reads the fields by their offsets.
type thinCall struct {
	w   [4]unsafe.Pointer
	x   unsafe.Pointer
	ldx int // bytes
	k   int
	out *[16]float32 // [rows of A][4]

	// The last K mod 16 elements of the rows, padded with zeros: avx2 has no
	// masked loads of 16-bit elements.
	restW *[4][thinLanes]uint16
	restX *[thinLanes]float32

	ahead int // bytes to prefetch ahead
}

// prefetchAhead returns how far to prefetch rows of W: to the rows of the next
// call when the first-level cache can hold them so long, else along the row.
func prefetchAhead(rowBytes int) int {
	if 4*rowBytes <= 16<<10 {
		return 4 * rowBytes
	}
	return 4 << 10
}

// thin computes columns [lo,hi) of C and reports whether the level has
// assembly.
func (l level) thin(t *thinGemm, lo, hi int) bool {
	g := &t.g
	if l == levelGeneric {
		return false
	}
	var out [16]float32
	var restW [4][thinLanes]uint16
	var restX [thinLanes]float32
	call := thinCall{ldx: 4 * g.LDA, k: g.K, out: &out, restW: &restW, restX: &restX}
	call.ahead = prefetchAhead(g.LDB * g.BKind.bytes())
	rest := 0
	if l == levelAVX2 && g.BKind != None {
		rest = g.K % thinLanes
	}
	for j := lo; j < hi; j += 4 {
		for r := range call.w {
			row := min(j+r, hi-1)
			call.w[r] = g.rowB(row)
			if rest > 0 {
				copy(restW[r][:], g.B16[row*g.LDB+g.K-rest:][:rest])
			}
		}
		for i, n := 0, 0; i < g.M; i += n {
			n = l.thinBatch(g.M - i)
			call.x = unsafe.Pointer(&g.A[i*g.LDA])
			if rest > 0 {
				copy(restX[:], g.A[i*g.LDA+g.K-rest:][:rest])
			}
			l.thinKernel(&call, g.BKind, n)
			for q := range n {
				for r := 0; r < 4 && j+r < hi; r++ {
					t.store(i+q, j+r, out[q*4+r])
				}
			}
		}
	}
	return true
}

// rowB is the address of row j of B stored as [N,K].
func (g *Gemm) rowB(j int) unsafe.Pointer {
	if g.BKind == None {
		return unsafe.Pointer(&g.B[j*g.LDB])
	}
	return unsafe.Pointer(&g.B16[j*g.LDB])
}

// thinBatch is the number of rows of A to take at once when left remain.
func (l level) thinBatch(left int) int {
	switch {
	case l == levelAVX2 || left == 1:
		return 1
	case left < 4:
		return 2
	}
	return 4
}

func (l level) thinKernel(t *thinCall, kind Kind16, n int) {
	if l == levelAVX2 {
		switch kind {
		case None:
			thinF321xAVX2(t)
		case BF16:
			thinBF161xAVX2(t)
		default:
			thinF161xAVX2(t)
		}
		return
	}
	switch {
	case kind == None && n == 1:
		thinF321xAVX512(t)
	case kind == None && n == 2:
		thinF322xAVX512(t)
	case kind == None:
		thinF324xAVX512(t)
	case kind == BF16 && n == 1:
		thinBF161xAVX512(t)
	case kind == BF16 && n == 2:
		thinBF162xAVX512(t)
	case kind == BF16:
		thinBF164xAVX512(t)
	case n == 1:
		thinF161xAVX512(t)
	case n == 2:
		thinF162xAVX512(t)
	default:
		thinF164xAVX512(t)
	}
}

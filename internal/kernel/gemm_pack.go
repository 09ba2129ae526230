package kernel

// packPanelA copies mr rows of op(A), [k][mr] with k outermost. Rows past the
// edge are left as they are: no result depends on them.
func (b *blockedGemm) packPanelA(panel int) {
	row := b.m.lo + panel*b.mr
	rows := min(b.mr, b.m.hi-row)
	dst := b.bufA[panel*b.strideA():][:b.strideA()]
	aRow, aK := strides(b.g.LDA, b.g.TransA)
	src := b.g.A[row*aRow+b.k.lo*aK:]
	if b.isa.packA(dst, src, packShape{rows: rows, k: b.k.len(), ld: b.g.LDA, trans: b.g.TransA}) {
		return
	}
	for k := range b.k.len() {
		for r := range rows {
			dst[k*b.mr+r] = src[r*aRow+k*aK]
		}
	}
}

// packPanelB copies nr columns of op(B), [k][nr] with k outermost.
func (b *blockedGemm) packPanelB(panel int) {
	col := b.n.lo + panel*b.nr
	shape := packShape{rows: min(b.nr, b.n.hi-col), k: b.k.len(), ld: b.g.LDB, trans: !b.g.TransB}
	dst := b.bufB[panel*b.strideB():][:b.strideB()]
	bK, bCol := strides(b.g.LDB, b.g.TransB)
	from := b.k.lo*bK + col*bCol
	if b.g.BKind == None {
		if !b.isa.packB(dst, b.g.B[from:], shape) {
			packStrided(dst, b.nr, shape, b.g.B[from:], bK, bCol)
		}
		return
	}
	if !b.isa.packB16(dst, b.g.B16[from:], b.g.BKind, shape) {
		packStrided16(dst, b.nr, shape, b.g.B16[from:], bK, bCol, b.g.BKind)
	}
}

// packShape describes a panel: rows of the panel (columns of op(B)), its
// length along K, and the stored matrix: trans means that K is its outer
// dimension, so that neighbours in the panel are neighbours in memory.
type packShape struct {
	rows, k, ld int
	trans       bool
}

func packStrided(dst []float32, width int, s packShape, src []float32, strideK, strideRow int) {
	for k := range s.k {
		for r := range s.rows {
			dst[k*width+r] = src[k*strideK+r*strideRow]
		}
	}
}

func packStrided16(dst []float32, width int, s packShape, src []uint16, strideK, strideRow int, kind Kind16) {
	for k := range s.k {
		for r := range s.rows {
			dst[k*width+r] = widen(src[k*strideK+r*strideRow], kind)
		}
	}
}

func widen(h uint16, kind Kind16) float32 {
	if kind == F16 {
		return FromF16(h)
	}
	return FromBF16(h)
}

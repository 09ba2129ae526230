package kernel

import "unsafe"

// microCall is one call of a micro-kernel: a rows×cols tile of C, at most
// mr×nr, from k columns of A and k rows of B. Strides count floats; the
// columns of B and C are contiguous. The assembly reads the fields up to mask
// by their offsets.
type microCall struct {
	a, b, c  unsafe.Pointer
	k        int
	aRow, aK int
	bK       int
	ldc      int
	alpha    float32
	acc      uint32 // 1: add to C
	mask     uint64 // valid columns, one bit each
	lanes    unsafe.Pointer

	rows, cols       int
	packedA, packedB bool
}

// genericRows and genericCols are the tile of the plain Go micro-kernel: as
// many sums as fit the registers of a plain 64-bit machine.
const genericRows, genericCols = 2, 4

// microGeneric is the reference micro-kernel, on packed operands.
func microGeneric(t *microCall) {
	a := unsafe.Slice((*float32)(t.a), t.k*genericRows)
	b := unsafe.Slice((*float32)(t.b), t.k*genericCols)
	var sum [genericRows][genericCols]float32
	for len(a) >= genericRows && len(b) >= genericCols {
		a0, a1 := a[0], a[1]
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		sum[0][0] += float32(a0 * b0)
		sum[0][1] += float32(a0 * b1)
		sum[0][2] += float32(a0 * b2)
		sum[0][3] += float32(a0 * b3)
		sum[1][0] += float32(a1 * b0)
		sum[1][1] += float32(a1 * b1)
		sum[1][2] += float32(a1 * b2)
		sum[1][3] += float32(a1 * b3)
		a, b = a[genericRows:], b[genericCols:]
	}
	for r := range t.rows {
		c := unsafe.Slice((*float32)(unsafe.Add(t.c, r*t.ldc*4)), t.cols)
		for j := range c {
			v := float32(t.alpha * sum[r][j])
			if t.acc != 0 {
				v += c[j]
			}
			c[j] = v
		}
	}
}

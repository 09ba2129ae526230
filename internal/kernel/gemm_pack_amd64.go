//go:build amd64 && !purego

package kernel

import "unsafe"

// packA packs a panel of A and reports whether the level has assembly for it.
func (l level) packA(dst, src []float32, s packShape) bool {
	if l == levelGeneric {
		return false
	}
	mr, _ := l.tile()
	p := unsafe.Pointer(unsafe.SliceData(src))
	if !s.trans {
		l.packTranspose(&dst[0], p, None, mr, 0, s)
		return true
	}
	mask := 1<<s.rows - 1
	if l == levelAVX512 {
		packRowsF32AVX512(p, 4*s.ld, &dst[0], s.k, mask, nil)
	} else {
		packRowsF32AVX2(p, 4*s.ld, &dst[0], s.k, 0, columnLanes(s.rows))
	}
	return true
}

// packB packs a panel of B stored in float32.
func (l level) packB(dst, src []float32, s packShape) bool {
	return l.packColumns(dst, unsafe.Pointer(unsafe.SliceData(src)), None, s)
}

// packB16 packs a panel of B stored in 16 bits. On avx2, which has no masked
// loads for them, it declines shapes that end inside a vector.
func (l level) packB16(dst []float32, src []uint16, kind Kind16, s packShape) bool {
	if l == levelAVX2 && (s.trans && s.rows < 16 || !s.trans && s.k%8 != 0) {
		return false
	}
	return l.packColumns(dst, unsafe.Pointer(unsafe.SliceData(src)), kind, s)
}

func (l level) packColumns(dst []float32, src unsafe.Pointer, kind Kind16, s packShape) bool {
	if l == levelGeneric {
		return false
	}
	_, nr := l.tile()
	if !s.trans {
		group := l.group()
		for r := 0; r < s.rows; r += group {
			l.packTranspose(&dst[r], unsafe.Add(src, r*s.ld*kind.bytes()), kind, nr, r, s)
		}
		return true
	}
	ld, mask, lanes := s.ld*kind.bytes(), 1<<s.rows-1, columnLanes(s.rows)
	switch {
	case l == levelAVX512 && kind == None:
		packColumnsF32AVX512(src, ld, &dst[0], s.k, mask, nil)
	case l == levelAVX512 && kind == BF16:
		packColumnsBF16AVX512(src, ld, &dst[0], s.k, mask, nil)
	case l == levelAVX512:
		packColumnsF16AVX512(src, ld, &dst[0], s.k, mask, nil)
	case kind == None:
		packColumnsF32AVX2(src, ld, &dst[0], s.k, 0, lanes)
	case kind == BF16:
		packColumnsBF16AVX2(src, ld, &dst[0], s.k, 0, nil)
	default:
		packColumnsF16AVX2(src, ld, &dst[0], s.k, 0, nil)
	}
	return true
}

// group is the number of rows a transposing packer takes at once.
func (l level) group() int {
	if l == levelAVX512 {
		return 16
	}
	return 8
}

// packTranspose packs up to group rows, the first of them row first of the
// panel, from src on. Rows past the edge repeat the first: nothing outside the
// operand is read, and no result depends on what is packed for them.
func (l level) packTranspose(dst *float32, src unsafe.Pointer, kind Kind16, width, first int, s packShape) {
	var rows [16]unsafe.Pointer
	for r := range l.group() {
		rows[r] = src
		if first+r < s.rows {
			rows[r] = unsafe.Add(src, r*s.ld*kind.bytes())
		}
	}
	stride := 4 * width
	switch {
	case l == levelAVX512 && kind == None:
		packTransposeF32AVX512(&rows, dst, stride, s.k)
	case l == levelAVX512 && kind == BF16:
		packTransposeBF16AVX512(&rows, dst, stride, s.k)
	case l == levelAVX512:
		packTransposeF16AVX512(&rows, dst, stride, s.k)
	case kind == None:
		packTransposeF32AVX2(&rows, dst, stride, s.k)
	case kind == BF16:
		packTransposeBF16AVX2(&rows, dst, stride, s.k)
	default:
		packTransposeF16AVX2(&rows, dst, stride, s.k)
	}
}

// bytes is the size of one element.
func (k Kind16) bytes() int {
	if k == None {
		return 4
	}
	return 2
}

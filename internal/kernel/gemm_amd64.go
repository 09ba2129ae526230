//go:build amd64 && !purego

package kernel

import "unsafe"

//go:generate sh -c "cd _gen && go run . -out .."

// tile returns the rows and columns of the level's micro-kernel.
func (l level) tile() (mr, nr int) {
	switch l {
	case levelAVX512:
		return 14, 32
	case levelAVX2:
		return 6, 16
	}
	return genericRows, genericCols
}

// maskWords is 32 words of ones and 32 of zeros: a mask of n words starts at
// word 32-n.
var maskWords = func() (w [64]uint32) {
	for i := range 32 {
		w[i] = 0xffffffff
	}
	return w
}()

// columnLanes is the address of a mask of n ≤ 32 words.
func columnLanes(n int) unsafe.Pointer { return unsafe.Pointer(&maskWords[32-n]) }

// micro computes one tile: the packed kernel for a full one, else general
// kernels for as many rows at a time as they have.
func (l level) micro(t *microCall) {
	if l == levelGeneric {
		microGeneric(t)
		return
	}
	mr, nr := l.tile()
	if t.packedA && t.packedB && t.rows == mr && t.cols == nr {
		if l == levelAVX512 {
			microPackedAVX512(t)
		} else {
			microPackedAVX2(t)
		}
		return
	}
	t.mask, t.lanes = 1<<t.cols-1, columnLanes(t.cols)
	part := *t
	for {
		var done int
		if l == levelAVX512 {
			done = microRowsAVX512(&part)
		} else {
			done = microRowsAVX2(&part)
		}
		if part.rows -= done; part.rows == 0 {
			return // before a pointer moves past the end of its slice
		}
		part.a = unsafe.Add(part.a, done*part.aRow*4)
		part.c = unsafe.Add(part.c, done*part.ldc*4)
	}
}

// microRowsAVX512 computes the first rows of the tile and returns how many.
func microRowsAVX512(t *microCall) int {
	narrow := t.cols <= 16
	switch {
	case t.rows >= 14 && narrow:
		micro14x1AVX512(t)
		return 14
	case t.rows >= 14:
		micro14x2AVX512(t)
		return 14
	case t.rows >= 8 && narrow:
		micro8x1AVX512(t)
		return 8
	case t.rows >= 8:
		micro8x2AVX512(t)
		return 8
	case t.rows >= 4 && narrow:
		micro4x1AVX512(t)
		return 4
	case t.rows >= 4:
		micro4x2AVX512(t)
		return 4
	case t.rows >= 2 && narrow:
		micro2x1AVX512(t)
		return 2
	case t.rows >= 2:
		micro2x2AVX512(t)
		return 2
	case narrow:
		micro1x1AVX512(t)
		return 1
	}
	micro1x2AVX512(t)
	return 1
}

// microRowsAVX2 computes the first rows of the tile and returns how many.
func microRowsAVX2(t *microCall) int {
	narrow := t.cols <= 8
	switch {
	case t.rows >= 6 && narrow:
		micro6x1AVX2(t)
		return 6
	case t.rows >= 6:
		micro6x2AVX2(t)
		return 6
	case t.rows >= 4 && narrow:
		micro4x1AVX2(t)
		return 4
	case t.rows >= 4:
		micro4x2AVX2(t)
		return 4
	case t.rows >= 2 && narrow:
		micro2x1AVX2(t)
		return 2
	case t.rows >= 2:
		micro2x2AVX2(t)
		return 2
	case narrow:
		micro1x1AVX2(t)
		return 1
	}
	micro1x2AVX2(t)
	return 1
}

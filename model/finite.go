package model

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"unsafe"

	"github.com/posttrain/posttrain/tensor"
)

// firstNotFinite is the index of the first NaN or infinity of p, or -1.
func firstNotFinite(p *tensor.Param) int {
	switch {
	case p.Data() != nil:
		const exponent = 0x7f800000
		return search(p.Data(), allFinite32, func(x float32) bool { return math.Float32bits(x)&exponent == exponent })
	case p.Data64() != nil:
		odd := func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }
		return search(p.Data64(), func(s []float64) bool { return !slices.ContainsFunc(s, odd) }, odd)
	}
	exponent := uint16(0x7f80)
	if p.Dtype() == tensor.Float16 {
		exponent = 0x7c00
	}
	return search(p.Data16(), func(s []uint16) bool { return allFinite16(s, exponent) }, func(x uint16) bool { return x&exponent == exponent })
}

// search finds the first element that is odd. Pieces are scanned by several
// goroutines with ok, which says quickly whether a piece has none.
func search[T any](data []T, ok func([]T) bool, odd func(T) bool) int {
	const piece = 1 << 18
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), (len(data)+piece-1)/piece)
	first := make([]int, max(workers, 1))
	for w := range first {
		first[w] = -1
		wg.Go(func() {
			for lo := w * piece; lo < len(data); lo += len(first) * piece {
				part := data[lo:min(lo+piece, len(data))]
				if !ok(part) {
					first[w] = lo + slices.IndexFunc(part, odd)
					return
				}
			}
		})
	}
	wg.Wait()
	at := -1
	for _, i := range first {
		if i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	return at
}

// allFinite32 looks at two numbers at once: adding one to an exponent that is
// all ones carries into the sign's place.
func allFinite32(s []float32) bool {
	const exponents, ones = 0x7f8000007f800000, 0x0080000000800000
	words, rest := asWords(s)
	var carry uint64
	for _, x := range words {
		carry |= x&exponents + ones
	}
	for _, x := range rest {
		carry |= uint64(math.Float32bits(x)&0x7f800000 + 0x00800000)
	}
	return carry&0x8000000080000000 == 0
}

// allFinite16 is allFinite32 for four bfloat16 or float16 numbers at once.
func allFinite16(s []uint16, exponent uint16) bool {
	const lanes = 0x0001000100010001
	one := exponent & -exponent // the exponent's lowest bit
	words, rest := asWords(s)
	var carry uint64
	for _, x := range words {
		carry |= x&(lanes*uint64(exponent)) + lanes*uint64(one)
	}
	for _, x := range rest {
		carry |= uint64(x&exponent + one)
	}
	return carry&(lanes<<15) == 0
}

// asWords views the numbers from the first aligned one on as words of 64 bits;
// rest are those before and after. It is for pieces whose first element is
// aligned, and gives no words otherwise.
func asWords[T float32 | uint16](s []T) (words []uint64, rest []T) {
	start := unsafe.Pointer(unsafe.SliceData(s))
	per := 8 / int(unsafe.Sizeof(*new(T)))
	if uintptr(start)%8 != 0 || len(s) < per {
		return nil, s
	}
	return unsafe.Slice((*uint64)(start), len(s)/per), s[len(s)/per*per:]
}

// CheckFinite reports the first NaN or infinity of p.
func CheckFinite(p *tensor.Param) error {
	if at := firstNotFinite(p); at >= 0 {
		return fmt.Errorf("%w: %s holds a NaN or an infinity at element %d", ErrBadWeight, p.Name(), at)
	}
	return nil
}

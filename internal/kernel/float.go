package kernel

import (
	"fmt"
	"unsafe"
)

// Float is the element type of the kernels: float32 for training, float64 for
// gradient checks. Assembly exists for float32 only.
type Float interface{ float32 | float64 }

// is32 reports whether T is float32.
func is32[T Float]() bool {
	var zero T
	return unsafe.Sizeof(zero) == 4
}

// f32 returns x as float32 values; T must be float32.
func f32[T Float](x []T) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// mustLen panics when a slice is shorter than the operation needs. Assembly
// relies on it.
func mustLen(op string, n int, lens ...int) {
	for _, l := range lens {
		if l < n {
			panic(fmt.Sprintf("kernel: %s: length, got %d, want at least %d", op, l, n))
		}
	}
}

package widen

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/posttrain/posttrain/internal/kernel"
)

// littleEndian says whether this machine stores numbers as the files do.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// view reinterprets src as numbers where order and alignment allow.
func view[T any](src []byte, n int) ([]T, bool) {
	var zero T
	p := unsafe.Pointer(unsafe.SliceData(src))
	if !littleEndian || n == 0 || uintptr(p)%unsafe.Alignof(zero) != 0 {
		return nil, false
	}
	return unsafe.Slice((*T)(p), n), true
}

func mustHold(src []byte, n, width int) {
	if len(src) != n*width {
		panic(fmt.Sprintf("widen: got %d bytes for %d numbers of %d", len(src), n, width))
	}
}

// F32 copies float32 numbers.
func F32(dst []float32, src []byte) {
	mustHold(src, len(dst), 4)
	if v, ok := view[float32](src, len(dst)); ok {
		copy(dst, v)
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

// F64 rounds float64 numbers.
func F64(dst []float32, src []byte) {
	mustHold(src, len(dst), 8)
	for i := range dst {
		dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
	}
}

// F16 widens IEEE half precision numbers.
func F16(dst []float32, src []byte) {
	mustHold(src, len(dst), 2)
	if v, ok := view[uint16](src, len(dst)); ok {
		kernel.F16ToF32(dst, v)
		return
	}
	for i := range dst {
		dst[i] = kernel.FromF16(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// BF16 widens bfloat16 numbers.
func BF16(dst []float32, src []byte) {
	mustHold(src, len(dst), 2)
	if v, ok := view[uint16](src, len(dst)); ok {
		kernel.BF16ToF32(dst, v)
		return
	}
	for i := range dst {
		dst[i] = kernel.FromBF16(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// I8 converts signed bytes.
func I8(dst []float32, src []byte) {
	mustHold(src, len(dst), 1)
	for i, b := range src {
		dst[i] = float32(int8(b))
	}
}

// U8 converts bytes.
func U8(dst []float32, src []byte) {
	mustHold(src, len(dst), 1)
	for i, b := range src {
		dst[i] = float32(b)
	}
}

// I16 converts signed 16-bit integers.
func I16(dst []float32, src []byte) {
	mustHold(src, len(dst), 2)
	for i := range dst {
		dst[i] = float32(int16(binary.LittleEndian.Uint16(src[2*i:])))
	}
}

// U16 converts unsigned 16-bit integers.
func U16(dst []float32, src []byte) {
	mustHold(src, len(dst), 2)
	for i := range dst {
		dst[i] = float32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// I32 rounds signed 32-bit integers.
func I32(dst []float32, src []byte) {
	mustHold(src, len(dst), 4)
	for i := range dst {
		dst[i] = float32(int32(binary.LittleEndian.Uint32(src[4*i:])))
	}
}

// U32 rounds unsigned 32-bit integers.
func U32(dst []float32, src []byte) {
	mustHold(src, len(dst), 4)
	for i := range dst {
		dst[i] = float32(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

// I64 rounds signed 64-bit integers.
func I64(dst []float32, src []byte) {
	mustHold(src, len(dst), 8)
	for i := range dst {
		dst[i] = float32(int64(binary.LittleEndian.Uint64(src[8*i:])))
	}
}

// U64 rounds unsigned 64-bit integers.
func U64(dst []float32, src []byte) {
	mustHold(src, len(dst), 8)
	for i := range dst {
		dst[i] = float32(binary.LittleEndian.Uint64(src[8*i:]))
	}
}

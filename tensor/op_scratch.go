package tensor

import (
	"unsafe"

	"github.com/posttrain/posttrain/internal/kernel"
)

// scratch is n elements of the call's scratch memory from element off on.
func scratch[T Float](c *Call, off, n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	raw := c.Scratch[off*size : (off+n)*size]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(raw))), n)
}

// floatSize is the number of bytes of an element of x, which is floating point.
func floatSize(x *Node) int { return int(x.Dtype().Size()) }

// widen is input i in the type of computation: its own memory, or, for a weight
// of 16 bits, buf filled with its values.
func widen[T Float](c *Call, i int, buf []T) []T {
	v := &c.In[i]
	switch v.Dtype {
	case BFloat16, Float16:
		widenSlice(asFloat32(buf), v, 0)
		return buf
	}
	return Slice[T](v)
}

// widenSlice sets dst to the elements of v, which is stored in 16 bits, from
// element at on.
func widenSlice(dst []float32, v *View, at int) {
	if v.Dtype == BFloat16 {
		kernel.BF16ToF32(dst, bits(Slice[BF16](v))[at:at+len(dst)])
		return
	}
	kernel.F16ToF32(dst, bits(Slice[F16](v))[at:at+len(dst)])
}

// asFloat32 is s itself; weights of 16 bits exist beside float32 only.
func asFloat32[T Float](s []T) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

package kernel

// The element-wise operations of this file round every product before it is
// added, so all instruction levels give the same bits. dst may be one of the
// operands.

// Axpy adds a·x to dst.
func Axpy[T Float](dst []T, a T, x []T) {
	mustLen("Axpy", len(x), len(dst))
	if is32[T]() && fastAxpy(f32(dst), float32(a), f32(x)) {
		return
	}
	for i, v := range x {
		dst[i] += T(a * v)
	}
}

// Scale sets dst to a·x.
func Scale[T Float](dst, x []T, a T) {
	mustLen("Scale", len(x), len(dst))
	if is32[T]() && fastScale(f32(dst), f32(x), float32(a)) {
		return
	}
	for i, v := range x {
		dst[i] = a * v
	}
}

// Add sets dst to x + y over the length of x.
func Add[T Float](dst, x, y []T) {
	mustLen("Add", len(x), len(dst), len(y))
	if is32[T]() && fastAdd(f32(dst), f32(x), f32(y)) {
		return
	}
	for i, v := range x {
		dst[i] = v + y[i]
	}
}

// Mul sets dst to x·y element by element over the length of x.
func Mul[T Float](dst, x, y []T) {
	mustLen("Mul", len(x), len(dst), len(y))
	if is32[T]() && fastMul(f32(dst), f32(x), f32(y)) {
		return
	}
	for i, v := range x {
		dst[i] = v * y[i]
	}
}

package kernel

// Reductions add in a fixed order, the same at every instruction level: a
// block of reduceBlock elements is added in 64 lanes (element i goes to lane
// i mod 64), products are rounded before they are added, the lanes are folded
// in halves (64, 32, …, 1), and blocks are added in float64.
const (
	reduceLanes = 64
	reduceBlock = 4096
)

// Sum returns Σ x[i].
func Sum[T Float](x []T) T {
	var total float64
	for len(x) > 0 {
		n := min(len(x), reduceBlock)
		total += float64(sumBlock(x[:n]))
		x = x[n:]
	}
	return T(total)
}

// SumSquares returns Σ x[i]², added over blocks in float64 so that the norm of
// a large gradient keeps its digits.
func SumSquares[T Float](x []T) float64 {
	var total float64
	for len(x) > 0 {
		n := min(len(x), reduceBlock)
		total += float64(dotBlock(x[:n], x[:n]))
		x = x[n:]
	}
	return total
}

// Dot returns Σ x[i]·y[i] over the length of x.
func Dot[T Float](x, y []T) T {
	mustLen("Dot", len(x), len(y))
	var total float64
	for len(x) > 0 {
		n := min(len(x), reduceBlock)
		total += float64(dotBlock(x[:n], y[:n]))
		x, y = x[n:], y[n:]
	}
	return T(total)
}

// Max returns the largest element, -Inf for an empty x, and NaN when an
// element is NaN.
func Max[T Float](x []T) T {
	if is32[T]() {
		if m, ok := fastMax(f32(x)); ok {
			return T(m)
		}
	}
	m := negInf[T]()
	for _, v := range x {
		if v > m || v != v {
			m = v
		}
		if m != m {
			return m
		}
	}
	return m
}

// ArgMax returns the index of the first largest element, the index of the
// first NaN when there is one, and -1 for an empty x.
func ArgMax[T Float](x []T) int {
	m := Max(x)
	for i, v := range x {
		if v == m || v != v {
			return i
		}
	}
	return -1
}

func sumBlock[T Float](x []T) T {
	if is32[T]() {
		if s, ok := fastSum(f32(x)); ok {
			return T(s)
		}
	}
	var lane [reduceLanes]T
	for i, v := range x {
		lane[i%reduceLanes] += v
	}
	return fold(&lane)
}

func dotBlock[T Float](x, y []T) T {
	if is32[T]() {
		if s, ok := fastDot(f32(x), f32(y)); ok {
			return T(s)
		}
	}
	var lane [reduceLanes]T
	for i, v := range x {
		lane[i%reduceLanes] += T(v * y[i]) // the conversion forbids fusing
	}
	return fold(&lane)
}

func fold[T Float](lane *[reduceLanes]T) T {
	for h := reduceLanes / 2; h > 0; h /= 2 {
		for i := range h {
			lane[i] += lane[i+h]
		}
	}
	return lane[0]
}

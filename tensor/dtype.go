package tensor

import (
	"reflect"

	gtensor "gorgonia.org/tensor"
)

// BF16 is the bit pattern of a bfloat16 number, a storage type of weights.
type BF16 uint16

// F16 is the bit pattern of an IEEE half-precision number, a storage type of
// weights.
type F16 uint16

// Element types. Computation is in Float32, or in Float64 where gradients are
// checked; Int32 holds ids and indices; BFloat16 and Float16 only store weights.
var (
	Float32  = gtensor.Float32
	Float64  = gtensor.Float64
	Int32    = gtensor.Int32
	BFloat16 = Dtype{Type: reflect.TypeOf(BF16(0))}
	Float16  = Dtype{Type: reflect.TypeOf(F16(0))}
)

// Element lists the Go types of tensor elements.
type Element interface {
	float32 | float64 | int32 | BF16 | F16
}

// Float lists the Go types that computation uses.
type Float interface{ float32 | float64 }

// dtypeOf is the element type of a Go type.
func dtypeOf[T Element]() Dtype {
	var zero T
	switch any(zero).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int32:
		return Int32
	case BF16:
		return BFloat16
	default:
		return Float16
	}
}

package tensor

import (
	"fmt"
	"unsafe"

	"gorgonia.org/gorgonia"
	gtensor "gorgonia.org/tensor"
)

// newValue allocates a Gorgonia value of our own.
func newValue(dt Dtype, s Shape) gorgonia.Value {
	if len(s) == 0 && dt == Float32 {
		return gorgonia.NewF32(0)
	}
	if len(s) == 0 && dt == Float64 {
		return gorgonia.NewF64(0)
	}
	return gtensor.New(gtensor.Of(dt), gtensor.WithShape(s...))
}

// viewOf is the memory of a Gorgonia value, which keeps it alive.
func viewOf(v gorgonia.Value) View {
	return View{Ptr: pointer(v), Len: elements(v.Shape()), Shape: v.Shape().Clone(), Dtype: v.Dtype()}
}

// pointer is the address of a Gorgonia value's memory. Gorgonia hands it out as
// a number; the value itself keeps the memory alive.
func pointer(v gorgonia.Value) unsafe.Pointer {
	u := v.Uintptr()
	return *(*unsafe.Pointer)(unsafe.Pointer(&u))
}

// wrap makes a Gorgonia value over memory, without a copy. The header is private
// to the caller, which matters because Gorgonia's matrix product transposes the
// header of its operands in place.
func wrap(p unsafe.Pointer, dt Dtype, s Shape) (gorgonia.Value, error) {
	n := elements(s)
	if len(s) == 0 {
		switch dt {
		case Float32:
			return (*gorgonia.F32)(p), nil
		case Float64:
			return (*gorgonia.F64)(p), nil
		}
	}
	var back any
	switch dt {
	case Float32:
		back = unsafe.Slice((*float32)(p), n)
	case Float64:
		back = unsafe.Slice((*float64)(p), n)
	case Int32:
		back = unsafe.Slice((*int32)(p), n)
	case gtensor.Bool:
		back = unsafe.Slice((*bool)(p), n)
	default:
		return nil, fmt.Errorf("tensor: Gorgonia's own ops cannot work on %v", dt)
	}
	return gtensor.New(gtensor.WithShape(s...), gtensor.WithBacking(back)), nil
}

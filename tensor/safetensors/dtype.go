package safetensors

import (
	"fmt"
	"math/bits"

	"github.com/posttrain/posttrain/tensor/internal/widen"
)

// Dtype is the element type of a tensor. Its numbers are this package's own;
// files hold its name.
type Dtype uint8

// The element types of the format, in the order in which the reference library
// compares them (it writes the last ones first).
const (
	Bool Dtype = iota + 1
	F4
	F6E2M3
	F6E3M2
	U8
	I8
	F8E5M2
	F8E4M3
	F8E8M0
	F8E4M3FNUZ
	F8E5M2FNUZ
	I16
	U16
	F16
	BF16
	I32
	U32
	F32
	C64
	F64
	I64
	U64
)

var dtypes = [...]struct {
	name  string
	bits  uint64
	widen func(dst []float32, src []byte) // nil where float32 is not offered
}{
	Bool:       {"BOOL", 8, widen.U8},
	F4:         {"F4", 4, nil},
	F6E2M3:     {"F6_E2M3", 6, nil},
	F6E3M2:     {"F6_E3M2", 6, nil},
	U8:         {"U8", 8, widen.U8},
	I8:         {"I8", 8, widen.I8},
	F8E5M2:     {"F8_E5M2", 8, widen.F8E5M2},
	F8E4M3:     {"F8_E4M3", 8, widen.F8E4M3},
	F8E8M0:     {"F8_E8M0", 8, widen.F8E8M0},
	F8E4M3FNUZ: {"F8_E4M3FNUZ", 8, nil},
	F8E5M2FNUZ: {"F8_E5M2FNUZ", 8, nil},
	I16:        {"I16", 16, widen.I16},
	U16:        {"U16", 16, widen.U16},
	F16:        {"F16", 16, widen.F16},
	BF16:       {"BF16", 16, widen.BF16},
	I32:        {"I32", 32, widen.I32},
	U32:        {"U32", 32, widen.U32},
	F32:        {"F32", 32, widen.F32},
	C64:        {"C64", 64, nil},
	F64:        {"F64", 64, widen.F64},
	I64:        {"I64", 64, widen.I64},
	U64:        {"U64", 64, widen.U64},
}

// String is the name in the file, as in "F8_E4M3".
func (d Dtype) String() string {
	if !d.known() {
		return fmt.Sprintf("dtype %d", uint8(d))
	}
	return dtypes[d].name
}

// Bits is the width of one element, 0 for an unknown type.
func (d Dtype) Bits() int {
	if !d.known() {
		return 0
	}
	return int(dtypes[d].bits)
}

// Widens reports whether tensors of the type can be read as float32.
func (d Dtype) Widens() bool { return d.known() && dtypes[d].widen != nil }

func (d Dtype) known() bool { return d > 0 && int(d) < len(dtypes) }

// ParseDtype finds a type by its name in the file.
func ParseDtype(name string) (Dtype, error) {
	for d := Bool; int(d) < len(dtypes); d++ {
		if dtypes[d].name == name {
			return d, nil
		}
	}
	return 0, fmt.Errorf("got dtype %q, want one of BOOL, F4, F6_E2M3, F6_E3M2, U8 … F64, I64, U64", clip(name))
}

// byteSize multiplies a shape and the element size, and reports overflow and
// sizes that are no whole number of bytes.
func byteSize(d Dtype, shape []uint64) (n, size uint64, err error) {
	n = 1
	for _, s := range shape {
		hi, lo := bits.Mul64(n, s)
		if hi != 0 {
			return 0, 0, fmt.Errorf("got shape %d, whose product overflows", shape)
		}
		n = lo
	}
	hi, total := bits.Mul64(n, dtypes[d].bits)
	if hi != 0 {
		return 0, 0, fmt.Errorf("got shape %d of %s, whose size overflows", shape, d)
	}
	if total%8 != 0 {
		return 0, 0, fmt.Errorf("got %d numbers of %s, want a whole number of bytes", n, d)
	}
	return n, total / 8, nil
}

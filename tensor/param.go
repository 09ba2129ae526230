package tensor

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/posttrain/posttrain/internal/kernel"
	"gorgonia.org/gorgonia"
	gtensor "gorgonia.org/tensor"
)

// Param is a model's parameter: a named tensor outside every graph. Programs
// read its memory directly, and add the gradients of a trainable parameter to
// its accumulator. A Param may be read by several programs at once; changing it
// while one runs is a race.
type Param struct {
	name      string
	shape     Shape
	dtype     Dtype
	value     gtensor.Tensor // header over the memory below
	f32       []float32
	f64       []float64
	half      []uint16
	grad32    []float32
	grad64    []float64
	trainable bool
	version   uint64
}

// NewParam wraps data, which it keeps, as a parameter of the given shape. The
// element type of data is the storage type. It fails when the sizes differ.
func NewParam[T Element](name string, data []T, shape ...int) (*Param, error) {
	if name == "" {
		return nil, fmt.Errorf("tensor: parameter without a name")
	}
	if n := elements(shape); n != len(data) || len(shape) == 0 {
		return nil, fmt.Errorf("tensor: parameter %s: shape %v has %d elements, got %d", name, shape, n, len(data))
	}
	p := &Param{name: name, shape: slices.Clone(shape), dtype: dtypeOf[T]()}
	switch d := any(data).(type) {
	case []float32:
		p.f32 = d
	case []float64:
		p.f64 = d
	case []BF16:
		p.half = bits(d)
	case []F16:
		p.half = bits(d)
	default:
		return nil, fmt.Errorf("tensor: parameter %s: %v cannot store weights", name, p.dtype)
	}
	p.value = gtensor.New(gtensor.WithShape(p.shape...), gtensor.WithBacking(data))
	return p, nil
}

// Name is the parameter's name in the checkpoint.
func (p *Param) Name() string { return p.name }

// Shape is the parameter's shape; the caller must not change it.
func (p *Param) Shape() []int { return p.shape }

// Dtype is the storage type.
func (p *Param) Dtype() Dtype { return p.dtype }

// Len is the number of elements.
func (p *Param) Len() int { return elements(p.shape) }

// Bytes is the size of the stored values.
func (p *Param) Bytes() int { return p.Len() * int(p.dtype.Size()) }

// Data is the live memory of a Float32 parameter; nil for other storage types.
// After writing to it, call Changed.
func (p *Param) Data() []float32 { return p.f32 }

// Data64 is the live memory of a Float64 parameter; nil for other types.
func (p *Param) Data64() []float64 { return p.f64 }

// Data16 is the live memory of a BFloat16 or Float16 parameter as bit patterns;
// nil for other types.
func (p *Param) Data16() []uint16 { return p.half }

// Changed records that the values were written to.
func (p *Param) Changed() { p.version++ }

// Version counts the calls of Changed.
func (p *Param) Version() uint64 { return p.version }

// Trainable says whether the parameter has a gradient accumulator.
func (p *Param) Trainable() bool { return p.trainable }

// SetTrainable allocates the gradient accumulator of a Float32 or Float64
// parameter, or releases it; programs that were compiled to add to it must be
// compiled again. Parameters stored in 16 bits cannot be trained: convert them
// with Convert first.
func (p *Param) SetTrainable(on bool) error {
	if !on {
		p.trainable, p.grad32, p.grad64 = false, nil, nil
		return nil
	}
	switch {
	case p.f32 != nil && p.grad32 == nil:
		p.grad32 = make([]float32, len(p.f32))
	case p.f64 != nil && p.grad64 == nil:
		p.grad64 = make([]float64, len(p.f64))
	case p.half != nil:
		return fmt.Errorf("tensor: parameter %s: storage type %v cannot be trained, want float32 or float64", p.name, p.dtype)
	}
	p.trainable = true
	return nil
}

// Grad is the live gradient accumulator of a trainable Float32 parameter, else
// nil.
func (p *Param) Grad() []float32 { return p.grad32 }

// Grad64 is the live gradient accumulator of a trainable Float64 parameter,
// else nil.
func (p *Param) Grad64() []float64 { return p.grad64 }

// ZeroGrad clears the gradient accumulator.
func (p *Param) ZeroGrad() {
	clear(p.grad32)
	clear(p.grad64)
}

// Node declares p as an input of g, or returns the node declared before. The
// node's name is the parameter's.
func (p *Param) Node(g *Graph) *Node {
	if found := g.ByName(p.name); len(found) > 0 {
		n := found[0]
		if n.Value() != nil && n.Value().Uintptr() == p.value.Uintptr() {
			return n
		}
		fail("parameter %s: the graph has another input of that name", p.name)
	}
	return gorgonia.NewTensor(g, p.dtype, len(p.shape), gorgonia.WithShape(p.shape...), gorgonia.WithName(p.name), gorgonia.WithValue(p.value))
}

// Float32s returns a copy of the values as float32.
func (p *Param) Float32s() []float32 {
	dst := make([]float32, p.Len())
	switch {
	case p.f32 != nil:
		copy(dst, p.f32)
	case p.f64 != nil:
		for i, x := range p.f64 {
			dst[i] = float32(x)
		}
	case p.dtype == BFloat16:
		kernel.BF16ToF32(dst, p.half)
	default:
		kernel.F16ToF32(dst, p.half)
	}
	return dst
}

// Convert returns a copy of p stored as dt: Float32 or Float64 from any type,
// BFloat16 or Float16 from any type with rounding to nearest even.
func (p *Param) Convert(dt Dtype) (*Param, error) {
	switch dt {
	case Float32:
		return NewParam(p.name, p.Float32s(), p.shape...)
	case Float64:
		dst := make([]float64, p.Len())
		if p.f64 != nil {
			copy(dst, p.f64)
		} else {
			for i, x := range p.Float32s() {
				dst[i] = float64(x)
			}
		}
		return NewParam(p.name, dst, p.shape...)
	case BFloat16:
		dst := make([]BF16, p.Len())
		kernel.F32ToBF16(bits(dst), p.narrowing())
		return NewParam(p.name, dst, p.shape...)
	case Float16:
		dst := make([]F16, p.Len())
		kernel.F32ToF16(bits(dst), p.narrowing())
		return NewParam(p.name, dst, p.shape...)
	}
	return nil, fmt.Errorf("tensor: parameter %s: cannot store weights as %v", p.name, dt)
}

// narrowing is Float32s for values that are rounded once more: float64 values
// are rounded to odd, so that the second rounding gives what one would.
func (p *Param) narrowing() []float32 {
	if p.f64 == nil {
		return p.Float32s()
	}
	dst := make([]float32, p.Len())
	for i, x := range p.f64 {
		dst[i] = roundToOdd(x)
	}
	return dst
}

// roundToOdd truncates and sets the last bit of what is inexact (Boldo and
// Melquiond 2008, "Emulation of FMA and correctly rounded sums").
func roundToOdd(x float64) float32 {
	f := float32(x)
	if float64(f) == x || x != x || math.IsInf(x, 0) {
		return f
	}
	b := math.Float32bits(f)
	if math.Abs(float64(f)) > math.Abs(x) {
		b--
	}
	return math.Float32frombits(b | 1)
}

// bits is the memory of 16-bit numbers as bit patterns.
func bits[T BF16 | F16](s []T) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// Set overwrites the values with v, rounded to the storage type (to nearest
// even). The values move to new memory, because the old may be a mapped file;
// programs that read the parameter follow, slices that Data returned before do
// not. It fails when the lengths differ.
func (p *Param) Set(v []float64) error {
	q, err := NewParam(p.name, v, p.shape...)
	if err != nil {
		return err
	}
	if q, err = q.Convert(p.dtype); err != nil {
		return err
	}
	// Nodes hold this header: what it points to is replaced, not the header.
	*p.value.(*gtensor.Dense) = *q.value.(*gtensor.Dense)
	p.f32, p.f64, p.half = q.f32, q.f64, q.half
	p.Changed()
	return nil
}

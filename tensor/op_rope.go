package tensor

import (
	"crypto/sha256"
	"fmt"
	"slices"
)

// RoPEOptions control RoPE. RoPEScaling.Options makes them from a model's
// configuration.
type RoPEOptions struct {
	// HeadDim is the width of a head.
	HeadDim int
	// Rotary is the number of leading dimensions of a head that are rotated; 0
	// means all.
	Rotary int
	// InvFreq is the angle per position of each of the Rotary/2 pairs.
	InvFreq []float64
	// Scale multiplies cos and sin; 0 means 1.
	Scale float64
	// Interleaved pairs dimensions 2i and 2i+1 instead of i and i + Rotary/2.
	Interleaved bool

	// LengthFreqs, where set, replaces InvFreq and Scale by what it returns for
	// the length of the sequence a row belongs to. It must be a pure function.
	LengthFreqs func(length int) (invFreq []float64, scale float64)
	// Ends, the exclusive end of each segment, (S) int32, tells sequences apart
	// for LengthFreqs. The length of a segment is its last position + 1, so rows
	// of a shared prefix get the angles of the prefix alone.
	Ends *Node
	// Slots does so beside a cache, (N) int32: neighbouring rows of one slot are
	// one sequence, as long as their last position + 1. Keys that are in the
	// cache keep the angles of the call that wrote them.
	Slots *Node

	key string // equal for options with equal LengthFreqs; "" where unknown
}

// RoPE rotates pairs of dimensions of every head of x (N, heads·HeadDim) by
// angles proportional to the row's position (Su et al. 2021, arXiv:2104.09864,
// eq. 34). positions is (N) int32, none negative. Dimensions from Rotary on pass
// through.
//
// Angles, cos and sin are computed in float64, once for all uses of RoPE with
// the same positions and frequencies in a graph.
func RoPE(x, positions *Node, o RoPEOptions) *Node {
	const name = "rope"
	checkFloat(name, x)
	checkInts(name, "positions", positions)
	o.check(x, positions)
	return rotate(x, angles(positions, o, x.Dtype()), rotation{o.HeadDim, o.Rotary, o.Interleaved, false})
}

// check completes and checks o.
func (o *RoPEOptions) check(x, positions *Node) {
	const name = "rope"
	if o.Rotary == 0 {
		o.Rotary = o.HeadDim
	}
	if o.Scale == 0 {
		o.Scale = 1
	}
	if x.Dims() != 2 || o.HeadDim < 1 || x.Shape()[1]%max(1, o.HeadDim) != 0 {
		fail("%s: x has shape %v, want (N, heads·%d)", name, x.Shape(), o.HeadDim)
	}
	if positions.Shape()[0] != x.Shape()[0] {
		fail("%s: %d positions for %d rows", name, positions.Shape()[0], x.Shape()[0])
	}
	if o.Rotary%2 != 0 || o.Rotary < 0 || o.Rotary > o.HeadDim {
		fail("%s: %d dimensions rotated, want an even number up to %d", name, o.Rotary, o.HeadDim)
	}
	if o.LengthFreqs == nil {
		o.Ends, o.Slots, o.key = nil, nil, ""
		o.InvFreq = slices.Clone(o.InvFreq) // the kernel keeps it
		if len(o.InvFreq) != o.Rotary/2 {
			fail("%s: %d frequencies, want %d", name, len(o.InvFreq), o.Rotary/2)
		}
		return
	}
	switch o.InvFreq = nil; {
	case o.Ends == nil && o.Slots == nil:
		fail("%s: frequencies depend on the length, want Ends or Slots", name)
	case o.Ends != nil:
		checkInts(name, "ends", o.Ends)
		o.Slots = nil
	default:
		checkInts(name, "slots", o.Slots)
		if o.Slots.Shape()[0] != x.Shape()[0] {
			fail("%s: %d slots for %d rows", name, o.Slots.Shape()[0], x.Shape()[0])
		}
	}
}

// angles is a node (N, Rotary) with the cosines of each row's angles, then the
// sines. It is shared by all users with the same positions and frequencies.
func angles(positions *Node, o RoPEOptions, dt Dtype) *Node {
	shape := Shape{positions.Shape()[0], o.Rotary}
	in := Nodes{positions}
	for _, n := range (Nodes{o.Ends, o.Slots}) {
		if n != nil {
			in = append(in, n)
		}
	}
	name := o.angleName()
	if found := findAngles(name, in, shape, dt); found != nil {
		return found
	}
	s := Spec{
		Name:           name,
		Out:            []Output{{Shape: shape, Dtype: dt, Axis: 1}},
		Differentiable: make([]bool, len(in)),
		Kernel:         angleKernel[float32](o),
	}
	if dt == Float64 {
		s.Kernel = angleKernel[float64](o)
	}
	return Apply(s, in...)[0]
}

const angleName = "rope.angles"

// angleName names a table of angles by what it holds, where that is known.
func (o *RoPEOptions) angleName() string {
	if o.LengthFreqs != nil && o.key == "" {
		return angleName
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %x %x %q %t", o.Rotary, o.Scale, o.InvFreq, o.key, o.Ends != nil))
	return fmt.Sprintf("%s.%x", angleName, sum[:8])
}

// findAngles looks for a table in the graph that has these contents already.
func findAngles(name string, in Nodes, shape Shape, dt Dtype) *Node {
	if name == angleName {
		return nil
	}
	g := in[0].Graph()
	it := g.To(in[0].ID())
	for it != nil && it.Next() {
		n := it.Node().(*Node)
		op, ok := n.Op().(*Op)
		if ok && op.group.spec.Name == name && n.Dtype() == dt && n.Shape().Eq(shape) && slices.Equal(children(g, n), in) {
			return n
		}
	}
	return nil
}

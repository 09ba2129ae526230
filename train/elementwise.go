package train

import (
	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor"
)

// maxStates is the number of state tensors a parameter has at most.
const maxStates = 3

// elementRule is an update rule that works on every element on its own, so that
// a tensor may be cut anywhere. Rules compute in float64 and round once, on
// storing: the precision of float32 parameters is that of what is stored.
type elementRule interface {
	// states describes the state tensors of a parameter, PyTorch's names.
	states() []stateSpec
	// begin prepares an update: the constants that depend on the step only.
	begin(step int, lr float64)
	update32(p, g []float32, s stateOf[float32], c slotCoeff)
	update64(p, g []float64, s stateOf[float64], c slotCoeff)
}

// stateSpec describes one state tensor.
type stateSpec struct {
	name string
	// nonNegative states use the unsigned map when they are stored in 8 bits.
	nonNegative bool
	// copied states start as the parameter, others as 0.
	copied bool
}

// stateOf are the state tensors of one parameter, or the same range of each.
type stateOf[T kernel.Float] [maxStates][]T

// slotCoeff is what an update knows of a slot: its rate and decay, and the
// factor of its gradients (clipping, and the sign of Maximize).
type slotCoeff struct{ lr, decay, scale float64 }

// elementwise is the state of an elementRule. Parameters are cut into chunks
// that a device may run in any order.
type elementwise struct {
	rule     elementRule
	decay    float64 // where the group does not say
	maximize bool
	eightBit bool
	// scalars are state that belongs to all parameters together.
	scalars []StateTensor

	specs  []stateSpec
	slots  []elementSlot
	chunks []span
	device *tensor.Device

	lr, scale float64 // arguments of the update in progress
}

type elementSlot struct {
	param           Parameter
	lrFactor, decay float64
	f32             stateOf[float32]
	f64             stateOf[float64]
	packed          [maxStates]*blocks8 // instead of f32 where state is stored in 8 bits
	scratch         []stateOf[float32]  // one block for every chunk, when packed
}

// start allocates the state over slots.
func (u *elementwise) start(slots []Slot) (*elementwise, error) {
	if err := checkSlots(slots); err != nil {
		return nil, err
	}
	u.specs = u.rule.states()
	for _, s := range slots {
		u.add(s)
	}
	return u, nil
}

func (u *elementwise) add(s Slot) {
	slot := elementSlot{param: s.Param, lrFactor: s.LRFactor, decay: u.decay}
	if s.WeightDecay != nil {
		slot.decay = *s.WeightDecay
	}
	data, _, data64, _ := storage(s.Param)
	before := len(u.chunks)
	u.chunks = appendSpans(u.chunks, len(u.slots), len(data)+len(data64))
	packed := u.eightBit && len(data) >= minEightBit
	for i, spec := range u.specs {
		switch {
		case packed:
			slot.packed[i] = newBlocks8(len(data), spec.nonNegative)
		case data != nil:
			slot.f32[i] = newState(data, spec.copied)
		default:
			slot.f64[i] = newState(data64, spec.copied)
		}
	}
	if packed {
		slot.scratch = make([]stateOf[float32], len(u.chunks)-before)
		for k := range slot.scratch {
			for i := range u.specs {
				slot.scratch[k][i] = make([]float32, block8)
			}
		}
	}
	u.slots = append(u.slots, slot)
}

func newState[T kernel.Float](p []T, copied bool) []T {
	s := make([]T, len(p))
	if copied {
		copy(s, p)
	}
	return s
}

// Update implements Updater.
func (u *elementwise) Update(step int, lr, gradScale float64) {
	u.lr, u.scale = lr, gradScale
	if u.maximize {
		u.scale = -gradScale
	}
	u.rule.begin(step, lr)
	runChunks(u.device, u, len(u.chunks))
	for i := range u.slots {
		u.slots[i].param.Changed()
	}
}

// Do implements kernel.Task: it updates one chunk.
func (u *elementwise) Do(chunk, _ int) {
	c := u.chunks[chunk]
	s := &u.slots[c.slot]
	k := slotCoeff{lr: u.lr * s.lrFactor, decay: s.decay, scale: u.scale}
	data, grad, data64, grad64 := storage(s.param)
	switch {
	case s.scratch != nil:
		u.doPacked(s, c, k)
	case data != nil:
		u.rule.update32(data[c.lo:c.hi], grad[c.lo:c.hi], s.f32.cut(c.lo, c.hi), k)
	default:
		u.rule.update64(data64[c.lo:c.hi], grad64[c.lo:c.hi], s.f64.cut(c.lo, c.hi), k)
	}
}

// doPacked updates one chunk block by block: unpack the state, update, pack.
func (u *elementwise) doPacked(s *elementSlot, c span, k slotCoeff) {
	room := s.scratch[c.lo/chunkElements]
	data, grad := s.param.Data(), s.param.Grad()
	for lo := c.lo; lo < c.hi; lo += block8 {
		hi := min(lo+block8, c.hi)
		part := room.cut(0, hi-lo)
		for i := range u.specs {
			s.packed[i].unpack(part[i], lo)
		}
		u.rule.update32(data[lo:hi], grad[lo:hi], part, k)
		for i := range u.specs {
			s.packed[i].pack(part[i], lo)
		}
	}
}

// cut is the range [lo, hi) of every state that is there.
func (s stateOf[T]) cut(lo, hi int) stateOf[T] {
	for i, x := range s {
		if x != nil {
			s[i] = x[lo:hi]
		}
	}
	return s
}

// State implements Updater with PyTorch's names.
func (u *elementwise) State() []StateTensor {
	var all []StateTensor
	for i := range u.slots {
		s := &u.slots[i]
		name, shape := s.param.Name(), s.param.Shape()
		for k, spec := range u.specs {
			full := name + "." + spec.name
			if b := s.packed[k]; b != nil {
				all = append(all, StateTensor{Name: full + ".codes", Shape: shape, U8: b.codes},
					StateTensor{Name: full + ".absmax", Shape: []int{len(b.absmax)}, F32: b.absmax})
				continue
			}
			if s.f32[k] != nil || s.f64[k] != nil {
				all = append(all, StateTensor{Name: full, Shape: shape, F32: s.f32[k], F64: s.f64[k]})
			}
		}
	}
	return append(all, u.scalars...)
}

// UseDevice implements DeviceUser.
func (u *elementwise) UseDevice(d *tensor.Device) { u.device = d }

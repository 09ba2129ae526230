package train

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor"
)

// Defaults of AdamW: PyTorch's and, for LR and decay, the Hugging Face
// Trainer's.
const (
	defaultAdamWLR  = 5e-5
	defaultAdamWEps = 1e-8
)

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2019,
// arXiv:1711.05101, algorithm 2), in PyTorch's form: with learning rate η,
// step t and gradient g, negated when Maximize is set,
//
//	x ← x·(1 - η·λ)
//	m ← β1·m + (1-β1)·g
//	v ← β2·v + (1-β2)·g²
//	x ← x - η/(1-β1ᵗ) · m / (√v/√(1-β2ᵗ) + ε)
//
// ε is added after the bias correction. With AMSGrad (Reddi et al. 2018,
// arXiv:1904.09237) v in the last line is its largest value so far, before the
// correction.
type AdamW struct {
	// LR is η; 0 means 5e-5.
	LR float64 `json:"lr"`
	// Betas are β1 and β2; nil means 0.9 and 0.999.
	Betas *[2]float64 `json:"betas,omitempty"`
	// Eps is ε; 0 means 1e-8.
	Eps float64 `json:"eps"`
	// WeightDecay is λ, scaled by the learning rate; 0 is off. Groups decide
	// which parameters decay.
	WeightDecay float64 `json:"weight_decay"`
	// AMSGrad keeps the maximum of v.
	AMSGrad bool `json:"amsgrad,omitempty"`
	// Maximize climbs instead of descending; decay is not flipped.
	Maximize bool `json:"maximize,omitempty"`
	// EightBit stores the moments of float32 parameters with at least 4096
	// elements in 8 bits (Dettmers et al. 2021, arXiv:2110.02861): a quarter of
	// the memory, and steps that differ from the 32-bit ones by a few percent.
	EightBit bool `json:"eight_bit,omitempty"`
}

// Name is "adamw".
func (AdamW) Name() string { return "adamw" }

// BaseLR is the learning rate with its default filled in.
func (o AdamW) BaseLR() float64 { return o.withDefaults().LR }

func (o AdamW) withDefaults() AdamW {
	if o.LR == 0 {
		o.LR = defaultAdamWLR
	}
	if o.Eps == 0 {
		o.Eps = defaultAdamWEps
	}
	if o.Betas == nil {
		o.Betas = &[2]float64{0.9, 0.999}
	}
	return o
}

// Validate reports all faults at once.
func (o AdamW) Validate() error {
	o = o.withDefaults()
	var faults []error
	check := func(field string, v float64, ok bool, want string) {
		if !ok {
			faults = append(faults, fmt.Errorf("train: AdamW.%s: got %v, want %s", field, v, want))
		}
	}
	check("LR", o.LR, o.LR > 0 && !math.IsInf(o.LR, 0), "a finite number above 0")
	check("Eps", o.Eps, o.Eps > 0 && !math.IsInf(o.Eps, 0), "a finite number above 0")
	check("Betas[0]", o.Betas[0], o.Betas[0] >= 0 && o.Betas[0] < 1, "a number in [0, 1)")
	check("Betas[1]", o.Betas[1], o.Betas[1] >= 0 && o.Betas[1] < 1, "a number in [0, 1)")
	check("WeightDecay", o.WeightDecay, o.WeightDecay >= 0 && !math.IsInf(o.WeightDecay, 0), "a finite number of at least 0")
	check("EightBit beside AMSGrad", 1, !o.EightBit || !o.AMSGrad, "one of the two")
	return optionFaults(faults)
}

// Start allocates two moments a parameter, three with AMSGrad.
func (o AdamW) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := checkSlots(slots); err != nil {
		return nil, err
	}
	if o = o.withDefaults(); o.EightBit {
		r := &adamRule{betas: *o.Betas, eps: o.Eps, decoupled: true}
		return updater((&elementwise{rule: r, decay: o.WeightDecay, maximize: o.Maximize, eightBit: true}).start(slots))
	}
	u := &adamW{AdamW: o}
	for _, s := range slots {
		u.add(s)
	}
	return u, nil
}

// adamW is the state of AdamW. Parameters are cut into chunks that a device
// may run in any order: the update is element by element.
type adamW struct {
	AdamW
	slots  []adamWSlot
	chunks []span
	device *tensor.Device

	step      int // arguments of the update in progress
	lr, scale float64
}

type adamWSlot struct {
	param           Parameter
	lrFactor, decay float64
	f32             moments[float32]
	f64             moments[float64]
}

// moments are the state tensors of one parameter.
type moments[T kernel.Float] struct{ m, v, largest []T }

func (u *adamW) add(s Slot) {
	slot := adamWSlot{param: s.Param, lrFactor: s.LRFactor, decay: u.WeightDecay}
	if s.WeightDecay != nil {
		slot.decay = *s.WeightDecay
	}
	data, _, data64, _ := storage(s.Param)
	slot.f32 = newMoments[float32](len(data), u.AMSGrad)
	slot.f64 = newMoments[float64](len(data64), u.AMSGrad)
	u.chunks = appendSpans(u.chunks, len(u.slots), len(data)+len(data64))
	u.slots = append(u.slots, slot)
}

func newMoments[T kernel.Float](n int, largest bool) moments[T] {
	if n == 0 {
		return moments[T]{}
	}
	s := moments[T]{m: make([]T, n), v: make([]T, n)}
	if largest {
		s.largest = make([]T, n)
	}
	return s
}

// Update implements Updater.
func (u *adamW) Update(step int, lr, gradScale float64) {
	u.step, u.lr, u.scale = step, lr, gradScale
	if u.Maximize {
		u.scale = -gradScale
	}
	runChunks(u.device, u, len(u.chunks))
	for i := range u.slots {
		u.slots[i].param.Changed()
	}
}

// Do implements kernel.Task: it updates one chunk.
func (u *adamW) Do(chunk, _ int) {
	c := u.chunks[chunk]
	s := &u.slots[c.slot]
	k := kernel.AdamWCoeff{
		LR: u.lr * s.lrFactor, Beta1: u.Betas[0], Beta2: u.Betas[1], Eps: u.Eps,
		WeightDecay: s.decay, GradScale: u.scale, Step: u.step,
	}
	data, grad, data64, grad64 := storage(s.param)
	if data != nil {
		s.f32.update(data, grad, c, k)
	} else {
		s.f64.update(data64, grad64, c, k)
	}
}

func (s moments[T]) update(p, g []T, c span, k kernel.AdamWCoeff) {
	lo, hi := c.lo, c.hi
	if s.largest != nil {
		amsGrad(p[lo:hi], g[lo:hi], moments[T]{s.m[lo:hi], s.v[lo:hi], s.largest[lo:hi]}, k)
		return
	}
	kernel.AdamW(p[lo:hi], g[lo:hi], s.m[lo:hi], s.v[lo:hi], k)
}

// State implements Updater with PyTorch's names.
func (u *adamW) State() []StateTensor {
	var all []StateTensor
	for i := range u.slots {
		s := &u.slots[i]
		add := func(name string, f32 []float32, f64 []float64) {
			if f32 != nil || f64 != nil {
				all = append(all, StateTensor{Name: s.param.Name() + "." + name, Shape: s.param.Shape(), F32: f32, F64: f64})
			}
		}
		add("exp_avg", s.f32.m, s.f64.m)
		add("exp_avg_sq", s.f32.v, s.f64.v)
		add("max_exp_avg_sq", s.f32.largest, s.f64.largest)
	}
	return all
}

// UseDevice implements DeviceUser.
func (u *adamW) UseDevice(d *tensor.Device) { u.device = d }

package train

import (
	"errors"
	"math"
	"slices"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor"
)

// Rates of Muon, by the names torch gives them.
const (
	// MuonOriginal scales the rate by √max(1, rows/columns). It is the default.
	MuonOriginal = ""
	// MuonMatchRMS scales it by 0.2·√max(rows, columns), which moves weights as
	// far as AdamW does (Liu et al. 2025, arXiv:2502.16982): keep AdamW's rate.
	MuonMatchRMS = "match_rms_adamw"
)

// Muon moves matrices along the nearest orthogonal matrix to their momentum
// (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural
// networks"), in torch.optim's form:
//
//	b ← b + (1-μ)·(g - b)
//	u = g + μ·(b - g)                   without Nesterov b
//	o = NewtonSchulz(u)
//	x ← x·(1 - η·λ) - η·f(rows, columns)·o
//
// Deviation: the Newton-Schulz iteration runs in the parameters' own type;
// torch's in bfloat16 (after 20 steps at η = 0.05 they differ by up to 0.009).
// Everything that is not a matrix, and matrices that Rest names, go to AdamW.
type Muon struct {
	// LR is η; 0 means 1e-3.
	LR float64 `json:"lr"`
	// Momentum is μ; 0 means 0.95.
	Momentum float64 `json:"momentum"`
	// Nesterov looks ahead; nil means true.
	Nesterov *bool `json:"nesterov,omitempty"`
	// WeightDecay is λ, scaled by the learning rate; 0 is off (torch: 0.1).
	WeightDecay float64 `json:"weight_decay"`
	// Steps is the number of Newton-Schulz steps; 0 means 5.
	Steps int `json:"ns_steps"`
	// AdjustLR is f: MuonOriginal or MuonMatchRMS.
	AdjustLR string `json:"adjust_lr_fn,omitempty"`
	// Rest lists patterns, as Group.Match does, of matrices that AdamW trains;
	// nil means embeddings and heads: *embed*, *wte*, *wpe*, *lm_head*.
	Rest []string `json:"rest,omitempty"`
	// AdamW trains the rest. Its rate follows the same schedule.
	AdamW AdamW `json:"adamw"`
}

// Name is "muon".
func (Muon) Name() string { return "muon" }

// BaseLR is the learning rate with its default filled in.
func (o Muon) BaseLR() float64 { return o.withDefaults().LR }

func (o Muon) withDefaults() Muon {
	o.LR, o.Momentum = orDefault(o.LR, 1e-3), orDefault(o.Momentum, 0.95)
	if o.Nesterov == nil {
		o.Nesterov = new(true)
	}
	if o.Steps == 0 {
		o.Steps = 5
	}
	if o.Rest == nil {
		o.Rest = []string{"*embed*", "*wte*", "*wpe*", "*lm_head*"}
	}
	o.AdamW = o.AdamW.withDefaults()
	return o
}

// Validate reports all faults at once.
func (o Muon) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "Muon"}
	c.positive("LR", o.LR)
	c.fraction("Momentum", o.Momentum)
	c.notNegative("WeightDecay", o.WeightDecay)
	c.want("Steps", o.Steps, o.Steps > 0 && o.Steps <= 100, "a number in [1, 100]")
	c.want("AdjustLR", o.AdjustLR, o.AdjustLR == MuonOriginal || o.AdjustLR == MuonMatchRMS, `"" or "match_rms_adamw"`)
	return errors.Join(c.err(), o.AdamW.Validate())
}

// Start allocates a buffer a matrix, room for one iteration a core, and AdamW's
// state for the rest.
func (o Muon) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := checkSlots(slots); err != nil {
		return nil, err
	}
	u := &muon{Muon: o.withDefaults()}
	var rest []Slot
	for _, s := range slots {
		if len(s.Param.Shape()) != 2 || groupOf(s.Param.Name(), []Group{{Match: u.Rest}}) >= 0 {
			rest = append(rest, s)
		} else {
			u.add(s)
		}
	}
	// The largest first, so that cores end together.
	slices.SortStableFunc(u.slots, func(a, b muonSlot) int { return elements(b.param.Shape()) - elements(a.param.Shape()) })
	u.equip(1)
	if len(rest) == 0 {
		return u, nil
	}
	var err error
	u.rest, err = u.AdamW.Start(rest)
	return u, err
}

// muon is the state of Muon. Cores share the matrices, not their parts.
type muon struct {
	Muon
	slots  []muonSlot
	rest   Updater // nil when there are only matrices
	device *tensor.Device
	room32 []schulz[float32] // of each core
	room64 []schulz[float64]

	lr, scale float64
}

type muonSlot struct {
	param           Parameter
	lrFactor, decay float64
	f32             []float32 // momentum
	f64             []float64
}

func (u *muon) add(s Slot) {
	slot := muonSlot{param: s.Param, lrFactor: s.LRFactor, decay: u.WeightDecay}
	if s.WeightDecay != nil {
		slot.decay = *s.WeightDecay
	}
	if n := elements(s.Param.Shape()); s.Param.Data() != nil {
		slot.f32 = make([]float32, n)
	} else {
		slot.f64 = make([]float64, n)
	}
	u.slots = append(u.slots, slot)
}

// equip makes room for the iterations of so many cores.
func (u *muon) equip(cores int) {
	var size32, size64, side32, side64 int
	for _, s := range u.slots {
		shape := s.param.Shape()
		side := min(shape[0], shape[1])
		if s.f32 != nil {
			size32, side32 = max(size32, len(s.f32)), max(side32, side)
		} else {
			size64, side64 = max(size64, len(s.f64)), max(side64, side)
		}
	}
	scratch := kernel.NewScratch(cores)
	u.room32, u.room64 = nil, nil
	for worker := range cores {
		u.room32 = append(u.room32, newSchulz[float32](size32, side32))
		u.room64 = append(u.room64, newSchulz[float64](size64, side64))
		u.room32[worker].scratch, u.room32[worker].worker = scratch, worker
	}
}

// Update implements Updater.
func (u *muon) Update(step int, lr, gradScale float64) {
	u.lr, u.scale = lr, gradScale
	runChunks(u.device, u, len(u.slots))
	for i := range u.slots {
		u.slots[i].param.Changed()
	}
	if u.rest != nil {
		u.rest.Update(step, lr/u.LR*u.AdamW.LR, gradScale)
	}
}

// Do implements kernel.Task: it updates one matrix.
func (u *muon) Do(slot, worker int) {
	s := &u.slots[slot]
	data, grad, data64, grad64 := storage(s.param)
	if data != nil {
		muonStep(u, s, [3][]float32{s.f32, data, grad}, &u.room32[worker])
	} else {
		muonStep(u, s, [3][]float64{s.f64, data64, grad64}, &u.room64[worker])
	}
}

// muonStep updates one matrix: x are its momentum, values and gradient.
func muonStep[T kernel.Float](u *muon, s *muonSlot, x [3][]T, room *schulz[T]) {
	buffer, p, g := x[0], x[1], x[2]
	rows, cols := s.param.Shape()[0], s.param.Shape()[1]
	for i := range p {
		gi, b := float64(g[i])*u.scale, float64(buffer[i])
		b += (1 - u.Momentum) * (gi - b)
		buffer[i] = T(b)
		if *u.Nesterov {
			b = gi + u.Momentum*(b-gi)
		}
		room.load(i, rows, cols, T(b))
	}
	room.orthogonalise(min(rows, cols), max(rows, cols), u.Steps)
	rate := u.lr * s.lrFactor
	shrink := 1 - rate*s.decay
	if u.AdjustLR == MuonMatchRMS {
		rate *= 0.2 * math.Sqrt(float64(max(rows, cols)))
	} else {
		rate *= math.Sqrt(max(1, float64(rows)/float64(cols)))
	}
	for i := range p {
		p[i] = T(float64(p[i])*shrink - rate*float64(room.x[room.place(i, rows, cols)]))
	}
}

// State implements Updater with PyTorch's names; AdamW's follows.
func (u *muon) State() []StateTensor {
	var all []StateTensor
	for i := range u.slots {
		s := &u.slots[i]
		all = append(all, StateTensor{Name: s.param.Name() + ".momentum_buffer", Shape: s.param.Shape(), F32: s.f32, F64: s.f64})
	}
	if u.rest != nil {
		all = append(all, u.rest.State()...)
	}
	return all
}

// UseDevice implements DeviceUser.
func (u *muon) UseDevice(d *tensor.Device) {
	u.device = d
	u.equip(d.Threads())
	if r, ok := u.rest.(DeviceUser); ok {
		r.UseDevice(d)
	}
}

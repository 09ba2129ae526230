package train

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// ScheduleFreeAdamW is AdamW that needs no schedule (Defazio et al. 2024, "The
// Road Less Scheduled", arXiv:2405.15682, algorithm 1), as the package
// schedulefree computes it. Gradients are taken at y, steps are made from z, and
// the average x of all z is what is evaluated, saved and exported (EvalPoint):
//
//	ηₜ = η·min(1, t/T)                    T warm-up steps
//	v ← β2·v + (1-β2)·g²
//	u = g/(√(v/(1-β2ᵗ)) + ε) + λ·y
//	z ← z - ηₜ·u
//	x ← (1-c)·x + c·z                     c = wₜ/Σw, wₜ = tʳ·(max ηₜ)^p
//	y = β1·x + (1-β1)·z
//
// The momentum β1 has no bias correction. Only y, z and v are kept; x follows
// from y and z. Use it with the Constant schedule; another one scales ηₜ.
type ScheduleFreeAdamW struct {
	// LR is η; 0 means 2.5e-3.
	LR float64 `json:"lr"`
	// Betas are β1, above 0, and β2; nil means 0.9 and 0.999.
	Betas *[2]float64 `json:"betas,omitempty"`
	// Eps is ε; 0 means 1e-8.
	Eps float64 `json:"eps"`
	// WeightDecay is λ, at y; 0 is off.
	WeightDecay float64 `json:"weight_decay"`
	// WarmupSteps is T; 0 is none.
	WarmupSteps int `json:"warmup_steps,omitempty"`
	// R is the power of t in the average; 0 means all steps count alike.
	R float64 `json:"r,omitempty"`
	// WeightLRPower is p; nil means 2.
	WeightLRPower *float64 `json:"weight_lr_power,omitempty"`
}

// Name is "schedule_free_adamw".
func (ScheduleFreeAdamW) Name() string { return "schedule_free_adamw" }

// BaseLR is the learning rate with its default filled in.
func (o ScheduleFreeAdamW) BaseLR() float64 { return o.withDefaults().LR }

func (o ScheduleFreeAdamW) withDefaults() ScheduleFreeAdamW {
	o.LR, o.Eps, o.Betas = orDefault(o.LR, 2.5e-3), orDefault(o.Eps, 1e-8), orBetas(o.Betas, 0.9, 0.999)
	if o.WeightLRPower == nil {
		o.WeightLRPower = new(2.0)
	}
	return o
}

// Validate reports all faults at once.
func (o ScheduleFreeAdamW) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "ScheduleFreeAdamW"}
	c.positive("LR", o.LR)
	c.betas(*o.Betas)
	c.want("Betas[0]", o.Betas[0], o.Betas[0] > 0, "a number above 0")
	c.positive("Eps", o.Eps)
	c.notNegative("WeightDecay", o.WeightDecay)
	c.want("WarmupSteps", o.WarmupSteps, o.WarmupSteps >= 0, "at least 0")
	c.notNegative("R", o.R)
	c.notNegative("WeightLRPower", *o.WeightLRPower)
	return c.err()
}

// Start allocates z and v, and memory for y while x is in its place.
func (o ScheduleFreeAdamW) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	r := &freeRule{beta1: o.Betas[0], beta2: o.Betas[1], eps: o.Eps, adaptive: true}
	r.average = averaging{warmup: o.WarmupSteps, r: o.R, power: *o.WeightLRPower}
	return r.start(slots, o.WeightDecay)
}

// averaging is how x follows z: the weights of steps.
type averaging struct {
	warmup   int
	r, power float64
	past     [2]float64 // the largest rate and the sum of weights so far
}

// next is the factor of the rate of a step, and c.
func (a *averaging) next(step int, lr float64) (factor, c float64) {
	factor = 1
	if step < a.warmup {
		factor = float64(step) / float64(a.warmup)
	}
	a.past[0] = max(a.past[0], lr*factor)
	w := math.Pow(float64(step), a.r) * math.Pow(a.past[0], a.power)
	a.past[1] += w
	if a.past[1] > 0 {
		c = w / a.past[1]
	}
	return factor, c
}

// freeRule updates y and z, adaptively or by plain descent.
type freeRule struct {
	beta1, beta2, eps float64
	adaptive          bool
	average           averaging

	factor, c, correction2 float64
}

func (r *freeRule) start(slots []Slot, decay float64) (Updater, error) {
	e := &elementwise{rule: r, decay: decay}
	e.scalars = []StateTensor{{Name: "lr_max_and_weight_sum", Shape: []int{2}, F64: r.average.past[:]}}
	e, err := e.start(slots)
	if err != nil {
		return nil, err
	}
	return newTwoPoints(e, r.beta1), nil
}

func (r *freeRule) states() []stateSpec {
	s := []stateSpec{{name: "z", copied: true}}
	if r.adaptive {
		s = append(s, stateSpec{name: "exp_avg_sq"})
	}
	return s
}

func (r *freeRule) begin(step int, lr float64) {
	r.factor, r.c = r.average.next(step, lr)
	r.correction2 = 1 - math.Pow(r.beta2, float64(step))
}

func (r *freeRule) update32(p, g []float32, s stateOf[float32], c slotCoeff) { freeLoop(r, p, g, s, c) }
func (r *freeRule) update64(p, g []float64, s stateOf[float64], c slotCoeff) { freeLoop(r, p, g, s, c) }

func freeLoop[T kernel.Float](r *freeRule, p, g []T, s stateOf[T], c slotCoeff) {
	lr := c.lr * r.factor
	slide := lr * (r.beta1*(1-r.c) - 1) // y follows z's step as far as x and the momentum let it
	for i := range p {
		y, z, u := float64(p[i]), float64(s[0][i]), float64(g[i])*c.scale
		if r.adaptive {
			v := r.beta2*float64(s[1][i]) + (1-r.beta2)*u*u
			s[1][i] = T(v)
			u /= math.Sqrt(v/r.correction2) + r.eps
		}
		u += c.decay * y
		p[i], s[0][i] = T(y+r.c*(z-y)+slide*u), T(z-lr*u)
	}
}

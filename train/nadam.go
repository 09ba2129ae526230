package train

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// NAdam is Adam with Nesterov's look-ahead (Dozat 2016, "Incorporating Nesterov
// Momentum into Adam"), in PyTorch's form with its warm-up of the momentum:
//
//	g ← g + λ·x
//	μₜ = β1·(1 - 0.96^(t·ψ)/2)
//	m, v as in Adam;  d = √(v/(1-β2ᵗ)) + ε
//	x ← x - η·(1-μₜ)/(1-Πμ₁..ₜ)·g/d - η·μₜ₊₁/(1-Πμ₁..ₜ₊₁)·m/d
type NAdam struct {
	// LR is η; 0 means 2e-3.
	LR float64 `json:"lr"`
	// Betas are β1 and β2; nil means 0.9 and 0.999.
	Betas *[2]float64 `json:"betas,omitempty"`
	// Eps is ε; 0 means 1e-8.
	Eps float64 `json:"eps"`
	// MomentumDecay is ψ; 0 means 4e-3.
	MomentumDecay float64 `json:"momentum_decay"`
	// WeightDecay is λ; 0 is off.
	WeightDecay float64 `json:"weight_decay"`
	// Maximize climbs instead of descending; decay is not flipped.
	Maximize bool `json:"maximize,omitempty"`
}

// Name is "nadam".
func (NAdam) Name() string { return "nadam" }

// BaseLR is the learning rate with its default filled in.
func (o NAdam) BaseLR() float64 { return o.withDefaults().LR }

func (o NAdam) withDefaults() NAdam {
	o.LR, o.Eps, o.Betas = orDefault(o.LR, 2e-3), orDefault(o.Eps, 1e-8), orBetas(o.Betas, 0.9, 0.999)
	o.MomentumDecay = orDefault(o.MomentumDecay, 4e-3)
	return o
}

// Validate reports all faults at once.
func (o NAdam) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "NAdam"}
	c.positive("LR", o.LR)
	c.positive("Eps", o.Eps)
	c.betas(*o.Betas)
	c.positive("MomentumDecay", o.MomentumDecay)
	c.notNegative("WeightDecay", o.WeightDecay)
	return c.err()
}

// Start allocates two moments a parameter.
func (o NAdam) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	r := &nadamRule{NAdam: o, product: []float32{1}}
	u := &elementwise{rule: r, decay: o.WeightDecay, maximize: o.Maximize}
	u.scalars = []StateTensor{{Name: "mu_product", Shape: []int{1}, F32: r.product}}
	return updater(u.start(slots))
}

type nadamRule struct {
	NAdam
	// product is that of all μ so far: in float32 whatever the parameters, as in
	// PyTorch, where it is a tensor of the default type.
	product []float32

	ofGrad, ofMoment, correction2 float64
}

func (*nadamRule) states() []stateSpec { return []stateSpec{{name: "exp_avg"}, {name: "exp_avg_sq"}} }

func (r *nadamRule) begin(step int, _ float64) {
	mu := func(t int) float64 { return r.Betas[0] * (1 - 0.5*math.Pow(0.96, float64(t)*r.MomentumDecay)) }
	r.product[0] *= float32(mu(step))
	product, next := float64(r.product[0]), mu(step+1)
	r.ofGrad = (1 - mu(step)) / (1 - product)
	r.ofMoment = next / (1 - product*next)
	r.correction2 = 1 - math.Pow(r.Betas[1], float64(step))
}

func (r *nadamRule) update32(p, g []float32, s stateOf[float32], c slotCoeff) {
	nadamLoop(r, p, g, s, c)
}

func (r *nadamRule) update64(p, g []float64, s stateOf[float64], c slotCoeff) {
	nadamLoop(r, p, g, s, c)
}

func nadamLoop[T kernel.Float](r *nadamRule, p, g []T, s stateOf[T], c slotCoeff) {
	b1, b2 := r.Betas[0], r.Betas[1]
	for i := range p {
		x := float64(p[i])
		gi := float64(g[i])*c.scale + c.decay*x
		m := b1*float64(s[0][i]) + (1-b1)*gi
		v := b2*float64(s[1][i]) + (1-b2)*gi*gi
		s[0][i], s[1][i] = T(m), T(v)
		d := math.Sqrt(v/r.correction2) + r.Eps
		p[i] = T(x - c.lr*r.ofGrad*gi/d - c.lr*r.ofMoment*m/d)
	}
}

package train

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// RAdam is Adam without its unreliable first steps (Liu et al. 2020, "On the
// Variance of the Adaptive Learning Rate and Beyond", arXiv:1908.03265,
// algorithm 2), in PyTorch's form:
//
//	g ← g + λ·x;  m, v as in Adam
//	ρ∞ = 2/(1-β2) - 1,  ρ = ρ∞ - 2t·β2ᵗ/(1-β2ᵗ)
//	ρ > 5:  x ← x - η·r·m/(1-β1ᵗ)·√(1-β2ᵗ)/(√v + ε)
//	        r = √((ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ))
//	else:   x ← x - η·m/(1-β1ᵗ)
//
// Deviation from the paper: the bound is 5, not 4.
type RAdam struct {
	// LR is η; 0 means 1e-3.
	LR float64 `json:"lr"`
	// Betas are β1 and β2; nil means 0.9 and 0.999.
	Betas *[2]float64 `json:"betas,omitempty"`
	// Eps is ε; 0 means 1e-8.
	Eps float64 `json:"eps"`
	// WeightDecay is λ; 0 is off.
	WeightDecay float64 `json:"weight_decay"`
	// Maximize climbs instead of descending; decay is not flipped.
	Maximize bool `json:"maximize,omitempty"`
}

// Name is "radam".
func (RAdam) Name() string { return "radam" }

// BaseLR is the learning rate with its default filled in.
func (o RAdam) BaseLR() float64 { return o.withDefaults().LR }

func (o RAdam) withDefaults() RAdam {
	o.LR, o.Eps, o.Betas = orDefault(o.LR, 1e-3), orDefault(o.Eps, 1e-8), orBetas(o.Betas, 0.9, 0.999)
	return o
}

// Validate reports all faults at once.
func (o RAdam) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "RAdam"}
	c.positive("LR", o.LR)
	c.positive("Eps", o.Eps)
	c.betas(*o.Betas)
	c.notNegative("WeightDecay", o.WeightDecay)
	return c.err()
}

// Start allocates two moments a parameter.
func (o RAdam) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	return updater((&elementwise{rule: &radamRule{RAdam: o}, decay: o.WeightDecay, maximize: o.Maximize}).start(slots))
}

// radamBound is the length of the average from which on its variance is known.
const radamBound = 5

type radamRule struct {
	RAdam
	adaptive      bool
	plain, factor float64 // 1/(1-β1ᵗ), and that times r·√(1-β2ᵗ)
}

func (*radamRule) states() []stateSpec { return []stateSpec{{name: "exp_avg"}, {name: "exp_avg_sq"}} }

func (r *radamRule) begin(step int, _ float64) {
	t := float64(step)
	power := math.Pow(r.Betas[1], t)
	limit := 2/(1-r.Betas[1]) - 1
	rho := limit - 2*t*power/(1-power)
	r.plain = 1 / (1 - math.Pow(r.Betas[0], t))
	r.adaptive = rho > radamBound
	if r.adaptive {
		r.factor = r.plain * math.Sqrt(1-power) * math.Sqrt((rho-4)*(rho-2)*limit/((limit-4)*(limit-2)*rho))
	}
}

func (r *radamRule) update32(p, g []float32, s stateOf[float32], c slotCoeff) {
	radamLoop(r, p, g, s, c)
}

func (r *radamRule) update64(p, g []float64, s stateOf[float64], c slotCoeff) {
	radamLoop(r, p, g, s, c)
}

func radamLoop[T kernel.Float](r *radamRule, p, g []T, s stateOf[T], c slotCoeff) {
	b1, b2 := r.Betas[0], r.Betas[1]
	for i := range p {
		x := float64(p[i])
		gi := float64(g[i])*c.scale + c.decay*x
		m := b1*float64(s[0][i]) + (1-b1)*gi
		v := b2*float64(s[1][i]) + (1-b2)*gi*gi
		s[0][i], s[1][i] = T(m), T(v)
		if r.adaptive {
			p[i] = T(x - c.lr*r.factor*m/(math.Sqrt(v)+r.Eps))
		} else {
			p[i] = T(x - c.lr*r.plain*m)
		}
	}
}

package train

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// Adam is Kingma and Ba 2015 (arXiv:1412.6980, algorithm 1) in PyTorch's form,
// with weight decay as a part of the gradient (L2 regularisation):
//
//	g ← g + λ·x
//	m ← β1·m + (1-β1)·g
//	v ← β2·v + (1-β2)·g²
//	x ← x - η/(1-β1ᵗ) · m / (√v/√(1-β2ᵗ) + ε)
//
// Deviations from the paper: ε is added after the bias correction, and AMSGrad
// is offered as in AdamW. With decay 0 it equals AdamW.
type Adam struct {
	// LR is η; 0 means 5e-5, the Trainer's.
	LR float64 `json:"lr"`
	// Betas are β1 and β2; nil means 0.9 and 0.999.
	Betas *[2]float64 `json:"betas,omitempty"`
	// Eps is ε; 0 means 1e-8.
	Eps float64 `json:"eps"`
	// WeightDecay is λ; 0 is off.
	WeightDecay float64 `json:"weight_decay"`
	// AMSGrad keeps the maximum of v.
	AMSGrad bool `json:"amsgrad,omitempty"`
	// Maximize climbs instead of descending; decay is not flipped.
	Maximize bool `json:"maximize,omitempty"`
	// EightBit stores m and v in 8 bits, as AdamW's does.
	EightBit bool `json:"eight_bit,omitempty"`
}

// Name is "adam".
func (Adam) Name() string { return "adam" }

// BaseLR is the learning rate with its default filled in.
func (o Adam) BaseLR() float64 { return o.withDefaults().LR }

func (o Adam) withDefaults() Adam {
	o.LR, o.Eps = orDefault(o.LR, defaultAdamWLR), orDefault(o.Eps, defaultAdamWEps)
	o.Betas = orBetas(o.Betas, 0.9, 0.999)
	return o
}

// Validate reports all faults at once.
func (o Adam) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "Adam"}
	c.positive("LR", o.LR)
	c.positive("Eps", o.Eps)
	c.betas(*o.Betas)
	c.notNegative("WeightDecay", o.WeightDecay)
	c.want("EightBit beside AMSGrad", o.EightBit, !o.EightBit || !o.AMSGrad, "one of the two")
	return c.err()
}

// Start allocates two moments a parameter, three with AMSGrad.
func (o Adam) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	r := &adamRule{betas: *o.Betas, eps: o.Eps, amsGrad: o.AMSGrad}
	return updater((&elementwise{rule: r, decay: o.WeightDecay, maximize: o.Maximize, eightBit: o.EightBit}).start(slots))
}

// adamRule is Adam, or AdamW when decoupled: with AMSGrad, or in 8 bits.
type adamRule struct {
	betas              [2]float64
	eps                float64
	amsGrad, decoupled bool

	correction1, root2 float64
}

func (r *adamRule) states() []stateSpec {
	s := []stateSpec{{name: "exp_avg"}, {name: "exp_avg_sq", nonNegative: true}}
	if r.amsGrad {
		s = append(s, stateSpec{name: "max_exp_avg_sq", nonNegative: true})
	}
	return s
}

func (r *adamRule) begin(step int, _ float64) {
	r.correction1 = 1 - math.Pow(r.betas[0], float64(step))
	r.root2 = math.Sqrt(1 - math.Pow(r.betas[1], float64(step)))
}

func (r *adamRule) update32(p, g []float32, s stateOf[float32], c slotCoeff) { adamLoop(r, p, g, s, c) }
func (r *adamRule) update64(p, g []float64, s stateOf[float64], c slotCoeff) { adamLoop(r, p, g, s, c) }

func adamLoop[T kernel.Float](r *adamRule, p, g []T, s stateOf[T], c slotCoeff) {
	b1, b2, rate := r.betas[0], r.betas[1], c.lr/r.correction1
	shrink, coupled := 1-c.lr*c.decay, 0.0
	if !r.decoupled {
		shrink, coupled = 1, c.decay
	}
	for i := range p {
		x := float64(p[i])
		gi := float64(g[i])*c.scale + coupled*x
		m := b1*float64(s[0][i]) + (1-b1)*gi
		v := b2*float64(s[1][i]) + (1-b2)*gi*gi
		s[0][i], s[1][i] = T(m), T(v)
		if r.amsGrad {
			v = max(float64(s[2][i]), v)
			s[2][i] = T(v)
		}
		p[i] = T(shrink*x - rate*m/(math.Sqrt(v)/r.root2+r.eps))
	}
}

// updater turns a typed nil into a plain one.
func updater(u *elementwise, err error) (Updater, error) {
	if err != nil {
		return nil, err
	}
	return u, nil
}

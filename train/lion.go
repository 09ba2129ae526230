package train

import "github.com/posttrain/posttrain/internal/kernel"

// Lion moves every element by the same distance, in the direction of a mean of
// gradients (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms",
// arXiv:2302.06675, algorithm 2):
//
//	c = β1·m + (1-β1)·g
//	x ← x·(1 - η·λ) - η·sign(c)      sign(0) = 0
//	m ← β2·m + (1-β2)·g
//
// It wants a rate 3 to 10 times smaller than AdamW's, and a decay as much larger.
type Lion struct {
	// LR is η; 0 means 1e-4.
	LR float64 `json:"lr"`
	// Betas are β1 and β2; nil means 0.9 and 0.99.
	Betas *[2]float64 `json:"betas,omitempty"`
	// WeightDecay is λ, scaled by the learning rate; 0 is off.
	WeightDecay float64 `json:"weight_decay"`
	// Maximize climbs instead of descending; decay is not flipped.
	Maximize bool `json:"maximize,omitempty"`
	// EightBit stores m in 8 bits, as AdamW's does.
	EightBit bool `json:"eight_bit,omitempty"`
}

// Name is "lion".
func (Lion) Name() string { return "lion" }

// BaseLR is the learning rate with its default filled in.
func (o Lion) BaseLR() float64 { return o.withDefaults().LR }

func (o Lion) withDefaults() Lion {
	o.LR, o.Betas = orDefault(o.LR, 1e-4), orBetas(o.Betas, 0.9, 0.99)
	return o
}

// Validate reports all faults at once.
func (o Lion) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "Lion"}
	c.positive("LR", o.LR)
	c.betas(*o.Betas)
	c.notNegative("WeightDecay", o.WeightDecay)
	return c.err()
}

// Start allocates one moment a parameter.
func (o Lion) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	u := &elementwise{rule: &lionRule{betas: *o.Betas}, decay: o.WeightDecay, maximize: o.Maximize, eightBit: o.EightBit}
	return updater(u.start(slots))
}

type lionRule struct{ betas [2]float64 }

func (*lionRule) states() []stateSpec { return []stateSpec{{name: "exp_avg"}} }
func (*lionRule) begin(int, float64)  {}

func (r *lionRule) update32(p, g []float32, s stateOf[float32], c slotCoeff) { lionLoop(r, p, g, s, c) }
func (r *lionRule) update64(p, g []float64, s stateOf[float64], c slotCoeff) { lionLoop(r, p, g, s, c) }

func lionLoop[T kernel.Float](r *lionRule, p, g []T, s stateOf[T], c slotCoeff) {
	b1, b2, shrink := r.betas[0], r.betas[1], 1-c.lr*c.decay
	for i := range p {
		gi, m := float64(g[i])*c.scale, float64(s[0][i])
		x := float64(p[i]) * shrink
		switch way := b1*m + (1-b1)*gi; {
		case way > 0:
			x -= c.lr
		case way < 0:
			x += c.lr
		}
		p[i], s[0][i] = T(x), T(b2*m+(1-b2)*gi)
	}
}

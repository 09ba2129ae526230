package train

import "github.com/posttrain/posttrain/internal/kernel"

// SGD is gradient descent with momentum in PyTorch's form (Sutskever et al.
// 2013, "On the importance of initialization and momentum in deep learning",
// with the rate outside the momentum):
//
//	g ← g + λ·x
//	b ← μ·b + (1-τ)·g    at the first step b ← g
//	x ← x - η·b          with Nesterov η·(g + μ·b)
type SGD struct {
	// LR is η; 0 means 1e-3.
	LR float64 `json:"lr"`
	// Momentum is μ; 0 keeps no buffer.
	Momentum float64 `json:"momentum,omitempty"`
	// Dampening is τ.
	Dampening float64 `json:"dampening,omitempty"`
	// Nesterov looks ahead. It needs a momentum and no dampening.
	Nesterov bool `json:"nesterov,omitempty"`
	// WeightDecay is λ; 0 is off.
	WeightDecay float64 `json:"weight_decay"`
	// Maximize climbs instead of descending; decay is not flipped.
	Maximize bool `json:"maximize,omitempty"`
}

// Name is "sgd".
func (SGD) Name() string { return "sgd" }

// BaseLR is the learning rate with its default filled in.
func (o SGD) BaseLR() float64 { return o.withDefaults().LR }

func (o SGD) withDefaults() SGD {
	o.LR = orDefault(o.LR, 1e-3)
	return o
}

// Validate reports all faults at once.
func (o SGD) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "SGD"}
	c.positive("LR", o.LR)
	c.fraction("Momentum", o.Momentum)
	c.fraction("Dampening", o.Dampening)
	c.want("Nesterov", o.Nesterov, !o.Nesterov || o.Momentum > 0 && o.Dampening == 0, "it with a Momentum and without Dampening only")
	c.notNegative("WeightDecay", o.WeightDecay)
	return c.err()
}

// Start allocates a buffer a parameter, none without momentum.
func (o SGD) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	return updater((&elementwise{rule: &sgdRule{SGD: o}, decay: o.WeightDecay, maximize: o.Maximize}).start(slots))
}

type sgdRule struct {
	SGD
	first bool
}

func (r *sgdRule) states() []stateSpec {
	if r.Momentum == 0 {
		return nil
	}
	return []stateSpec{{name: "momentum_buffer"}}
}

func (r *sgdRule) begin(step int, _ float64) { r.first = step == 1 }

func (r *sgdRule) update32(p, g []float32, s stateOf[float32], c slotCoeff) { sgdLoop(r, p, g, s, c) }
func (r *sgdRule) update64(p, g []float64, s stateOf[float64], c slotCoeff) { sgdLoop(r, p, g, s, c) }

func sgdLoop[T kernel.Float](r *sgdRule, p, g []T, s stateOf[T], c slotCoeff) {
	keep, take := r.Momentum, 1-r.Dampening
	if r.first {
		keep, take = 0, 1
	}
	for i := range p {
		x := float64(p[i])
		gi := float64(g[i])*c.scale + c.decay*x
		move := gi
		if s[0] != nil {
			b := keep*float64(s[0][i]) + take*gi
			s[0][i] = T(b)
			move = b
			if r.Nesterov {
				move = gi + r.Momentum*b
			}
		}
		p[i] = T(x - c.lr*move)
	}
}

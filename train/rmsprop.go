package train

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// RMSprop divides by the root of the running mean of squares (Hinton 2012,
// lecture 6e of "Neural Networks for Machine Learning"; centered: Graves 2013,
// arXiv:1308.0850, eq. 38-45), in PyTorch's form:
//
//	g ← g + λ·x
//	v ← α·v + (1-α)·g²
//	d = √v + ε                   centered: √(v - a²) + ε with a ← α·a + (1-α)·g
//	x ← x - η·g/d                with momentum b ← μ·b + g/d; x ← x - η·b
//
// ε is outside the root. Deviation: where rounding makes v - a² negative it
// counts as 0; PyTorch gives NaN.
type RMSprop struct {
	// LR is η; 0 means 1e-2, PyTorch's.
	LR float64 `json:"lr"`
	// Alpha is α; 0 means 0.99.
	Alpha float64 `json:"alpha"`
	// Eps is ε; 0 means 1e-8.
	Eps float64 `json:"eps"`
	// Momentum is μ; 0 keeps no buffer.
	Momentum float64 `json:"momentum,omitempty"`
	// Centered divides by the deviation from the mean gradient.
	Centered bool `json:"centered,omitempty"`
	// WeightDecay is λ; 0 is off.
	WeightDecay float64 `json:"weight_decay"`
	// Maximize climbs instead of descending; decay is not flipped.
	Maximize bool `json:"maximize,omitempty"`
}

// Name is "rmsprop".
func (RMSprop) Name() string { return "rmsprop" }

// BaseLR is the learning rate with its default filled in.
func (o RMSprop) BaseLR() float64 { return o.withDefaults().LR }

func (o RMSprop) withDefaults() RMSprop {
	o.LR, o.Alpha, o.Eps = orDefault(o.LR, 1e-2), orDefault(o.Alpha, 0.99), orDefault(o.Eps, 1e-8)
	return o
}

// Validate reports all faults at once.
func (o RMSprop) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "RMSprop"}
	c.positive("LR", o.LR)
	c.fraction("Alpha", o.Alpha)
	c.positive("Eps", o.Eps)
	c.fraction("Momentum", o.Momentum)
	c.notNegative("WeightDecay", o.WeightDecay)
	return c.err()
}

// Start allocates the mean of squares, with the mean and the buffer asked for.
func (o RMSprop) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	r := &rmsPropRule{RMSprop: o, mean: -1, buffer: -1}
	return updater((&elementwise{rule: r, decay: o.WeightDecay, maximize: o.Maximize}).start(slots))
}

type rmsPropRule struct {
	RMSprop
	mean, buffer int // indices of these states, -1 for none
}

func (r *rmsPropRule) states() []stateSpec {
	s := []stateSpec{{name: "square_avg"}}
	if r.Momentum > 0 {
		r.buffer = len(s)
		s = append(s, stateSpec{name: "momentum_buffer"})
	}
	if r.Centered {
		r.mean = len(s)
		s = append(s, stateSpec{name: "grad_avg"})
	}
	return s
}

func (r *rmsPropRule) begin(int, float64) {}

func (r *rmsPropRule) update32(p, g []float32, s stateOf[float32], c slotCoeff) {
	rmsPropLoop(r, p, g, s, c)
}

func (r *rmsPropRule) update64(p, g []float64, s stateOf[float64], c slotCoeff) {
	rmsPropLoop(r, p, g, s, c)
}

func rmsPropLoop[T kernel.Float](r *rmsPropRule, p, g []T, s stateOf[T], c slotCoeff) {
	for i := range p {
		x := float64(p[i])
		gi := float64(g[i])*c.scale + c.decay*x
		v := r.Alpha*float64(s[0][i]) + (1-r.Alpha)*gi*gi
		s[0][i] = T(v)
		if r.mean >= 0 {
			a := r.Alpha*float64(s[r.mean][i]) + (1-r.Alpha)*gi
			s[r.mean][i] = T(a)
			v = max(0, v-a*a)
		}
		move := gi / (math.Sqrt(v) + r.Eps)
		if r.buffer >= 0 {
			move += r.Momentum * float64(s[r.buffer][i])
			s[r.buffer][i] = T(move)
		}
		p[i] = T(x - c.lr*move)
	}
}

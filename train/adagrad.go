package train

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// Adagrad divides by the root of the sum of all squares so far (Duchi et al.
// 2011, "Adaptive Subgradient Methods", JMLR 12, diagonal form), in PyTorch's
// form:
//
//	g ← g + λ·x
//	s ← s + g²
//	x ← x - η/(1 + (t-1)·κ) · g/(√s + ε)
type Adagrad struct {
	// LR is η; 0 means 1e-2.
	LR float64 `json:"lr"`
	// LRDecay is κ; 0 is off.
	LRDecay float64 `json:"lr_decay,omitempty"`
	// Eps is ε; 0 means 1e-10.
	Eps float64 `json:"eps"`
	// WeightDecay is λ; 0 is off.
	WeightDecay float64 `json:"weight_decay"`
	// Maximize climbs instead of descending; decay is not flipped.
	Maximize bool `json:"maximize,omitempty"`
}

// Name is "adagrad".
func (Adagrad) Name() string { return "adagrad" }

// BaseLR is the learning rate with its default filled in.
func (o Adagrad) BaseLR() float64 { return o.withDefaults().LR }

func (o Adagrad) withDefaults() Adagrad {
	o.LR, o.Eps = orDefault(o.LR, 1e-2), orDefault(o.Eps, 1e-10)
	return o
}

// Validate reports all faults at once.
func (o Adagrad) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "Adagrad"}
	c.positive("LR", o.LR)
	c.notNegative("LRDecay", o.LRDecay)
	c.positive("Eps", o.Eps)
	c.notNegative("WeightDecay", o.WeightDecay)
	return c.err()
}

// Start allocates one sum a parameter.
func (o Adagrad) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	return updater((&elementwise{rule: &adagradRule{Adagrad: o}, decay: o.WeightDecay, maximize: o.Maximize}).start(slots))
}

type adagradRule struct {
	Adagrad
	slow float64
}

func (*adagradRule) states() []stateSpec { return []stateSpec{{name: "sum"}} }

func (r *adagradRule) begin(step int, _ float64) { r.slow = 1 + float64(step-1)*r.LRDecay }

func (r *adagradRule) update32(p, g []float32, s stateOf[float32], c slotCoeff) {
	adagradLoop(r, p, g, s, c)
}

func (r *adagradRule) update64(p, g []float64, s stateOf[float64], c slotCoeff) {
	adagradLoop(r, p, g, s, c)
}

func adagradLoop[T kernel.Float](r *adagradRule, p, g []T, s stateOf[T], c slotCoeff) {
	rate := c.lr / r.slow
	for i := range p {
		x := float64(p[i])
		gi := float64(g[i])*c.scale + c.decay*x
		sum := float64(s[0][i]) + gi*gi
		s[0][i] = T(sum)
		p[i] = T(x - rate*gi/(math.Sqrt(sum)+r.Eps))
	}
}

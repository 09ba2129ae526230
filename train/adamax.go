package train

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// Adamax is Adam with the largest magnitude in place of the root of the mean of
// squares (Kingma and Ba 2015, arXiv:1412.6980, algorithm 2), in PyTorch's form:
//
//	g ← g + λ·x
//	m ← β1·m + (1-β1)·g
//	u ← max(β2·u, |g| + ε)
//	x ← x - η/(1-β1ᵗ) · m/u
//
// Deviation from the paper: ε, which keeps u above 0.
type Adamax struct {
	// LR is η; 0 means 2e-3.
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

// Name is "adamax".
func (Adamax) Name() string { return "adamax" }

// BaseLR is the learning rate with its default filled in.
func (o Adamax) BaseLR() float64 { return o.withDefaults().LR }

func (o Adamax) withDefaults() Adamax {
	o.LR, o.Eps, o.Betas = orDefault(o.LR, 2e-3), orDefault(o.Eps, 1e-8), orBetas(o.Betas, 0.9, 0.999)
	return o
}

// Validate reports all faults at once.
func (o Adamax) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "Adamax"}
	c.positive("LR", o.LR)
	c.positive("Eps", o.Eps)
	c.betas(*o.Betas)
	c.notNegative("WeightDecay", o.WeightDecay)
	return c.err()
}

// Start allocates two moments a parameter.
func (o Adamax) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	return updater((&elementwise{rule: &adamaxRule{Adamax: o}, decay: o.WeightDecay, maximize: o.Maximize}).start(slots))
}

type adamaxRule struct {
	Adamax
	correction float64
}

func (*adamaxRule) states() []stateSpec { return []stateSpec{{name: "exp_avg"}, {name: "exp_inf"}} }

func (r *adamaxRule) begin(step int, _ float64) {
	r.correction = 1 - math.Pow(r.Betas[0], float64(step))
}

func (r *adamaxRule) update32(p, g []float32, s stateOf[float32], c slotCoeff) {
	adamaxLoop(r, p, g, s, c)
}

func (r *adamaxRule) update64(p, g []float64, s stateOf[float64], c slotCoeff) {
	adamaxLoop(r, p, g, s, c)
}

func adamaxLoop[T kernel.Float](r *adamaxRule, p, g []T, s stateOf[T], c slotCoeff) {
	b1, b2, rate := r.Betas[0], r.Betas[1], c.lr/r.correction
	for i := range p {
		x := float64(p[i])
		gi := float64(g[i])*c.scale + c.decay*x
		m := b1*float64(s[0][i]) + (1-b1)*gi
		top := max(b2*float64(s[1][i]), math.Abs(gi)+r.Eps)
		s[0][i], s[1][i] = T(m), T(top)
		p[i] = T(x - rate*m/top)
	}
}

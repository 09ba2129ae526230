package train

import "math"

// Machine epsilons of the two storage types.
const (
	machineEpsilon32 = 0x1p-23
	machineEpsilon64 = 0x1p-52
)

// TorchAdafactor is Adafactor (Shazeer and Stern 2018, arXiv:1804.04235) as
// torch.optim computes it. It differs from transformers' in step size, decay and
// where ε1 acts, and has neither momentum nor warm-up:
//
//	α = max(ε2, RMS(x))·min(η, 1/√t)
//	x ← x - η·λ·x
//	R, C ← lerp to means of g² by tᵈ            d the decay of β2
//	u = g / √max(ε1², R·C/max(mean(R), ε1))     vectors: g/√max(ε1², v)
//	x ← x - α·u / max(1, RMS(u)/D)
type TorchAdafactor struct {
	// LR is η; 0 means 1e-2.
	LR float64 `json:"lr"`
	// Beta2Decay is d, negative; 0 means -0.8.
	Beta2Decay float64 `json:"beta2_decay"`
	// Eps are ε1 and ε2; nil means 0 and 1e-3. An ε1 of 0 is the machine
	// epsilon of the parameter's type, PyTorch's default.
	Eps *[2]float64 `json:"eps,omitempty"`
	// D bounds the root mean square of the update; 0 means 1.
	D float64 `json:"d"`
	// WeightDecay is λ; 0 is off.
	WeightDecay float64 `json:"weight_decay"`
	// Maximize climbs instead of descending; decay is not flipped.
	Maximize bool `json:"maximize,omitempty"`
}

// Name is "torch_adafactor".
func (TorchAdafactor) Name() string { return "torch_adafactor" }

// BaseLR is the learning rate with its default filled in.
func (o TorchAdafactor) BaseLR() float64 { return o.withDefaults().LR }

func (o TorchAdafactor) withDefaults() TorchAdafactor {
	o.LR, o.Beta2Decay, o.D = orDefault(o.LR, 1e-2), orDefault(o.Beta2Decay, -0.8), orDefault(o.D, 1)
	o.Eps = orBetas(o.Eps, 0, 1e-3)
	return o
}

// Validate reports all faults at once.
func (o TorchAdafactor) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "TorchAdafactor"}
	c.positive("LR", o.LR)
	c.want("Beta2Decay", o.Beta2Decay, o.Beta2Decay < 0 && !math.IsInf(o.Beta2Decay, 0), "a finite number below 0")
	c.notNegative("Eps[0]", o.Eps[0])
	c.notNegative("Eps[1]", o.Eps[1])
	c.positive("D", o.D)
	c.notNegative("WeightDecay", o.WeightDecay)
	return c.err()
}

// Start allocates a number a row and a column, and one an element for vectors.
func (o TorchAdafactor) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	return (&factored{rule: torchAdafactorRule{o}, maximize: o.Maximize}).start(slots, o.WeightDecay)
}

type torchAdafactorRule struct{ TorchAdafactor }

func (r torchAdafactorRule) rate(step int, c slotCoeff, rms float64) (size, decay float64) {
	return max(r.Eps[1], rms) * min(c.lr, 1/math.Sqrt(float64(step))), c.lr * c.decay
}

func (r torchAdafactorRule) keep(step int) float64 { return 1 - math.Pow(float64(step), r.Beta2Decay) }
func (r torchAdafactorRule) added() float64        { return 0 }
func (r torchAdafactorRule) limit() float64        { return r.D }
func (r torchAdafactorRule) momentum() float64     { return 0 }

func (r torchAdafactorRule) inverse(row, mean, column float64, wide bool) float64 {
	eps := r.Eps[0]
	switch {
	case eps == 0 && wide:
		eps = machineEpsilon64
	case eps == 0:
		eps = machineEpsilon32
	}
	return 1 / math.Sqrt(max(eps*eps, row*column/max(mean, eps)))
}

package train

import "math"

// Adafactor keeps second moments of matrices as one number a row and one a
// column (Shazeer and Stern 2018, arXiv:1804.04235, algorithm 4), in the form of
// Hugging Face transformers. Tensors of two or more dimensions are factored over
// the last two:
//
//	β2ₜ = 1 - tᵈ                               d the decay rate
//	R, C ← β2ₜ·(R, C) + (1-β2ₜ)·means of g² + ε1 over columns, over rows
//	u = g / √(R·C/mean(R))                      not factored: g/√v
//	u ← η·u / max(1, RMS(u)/clip)
//	u ← m ← β1·m + (1-β1)·u                     with β1 only
//	x ← x - λ·η·x - u
//
// Without LR the step is relative, η = min(10⁻², 1/√t)·max(ε2, RMS(x)), with
// WarmupInit min(10⁻⁶·t, 1/√t)·max(ε2, RMS(x)); the schedule's factor multiplies
// it, so use Constant. Deviation from the paper: β1 averages the update after
// rate and clipping. TorchAdafactor is PyTorch's, another algorithm.
type Adafactor struct {
	// LR is η before ScaleParameter; 0 means a relative step.
	LR float64 `json:"lr"`
	// Eps are ε1 and ε2; nil means 1e-30 and 1e-3.
	Eps *[2]float64 `json:"eps,omitempty"`
	// ClipThreshold bounds the root mean square of the update; 0 means 1.
	ClipThreshold float64 `json:"clip_threshold"`
	// DecayRate is d, negative; 0 means -0.8.
	DecayRate float64 `json:"decay_rate"`
	// Beta1 is β1; 0 keeps no mean of updates.
	Beta1 float64 `json:"beta1,omitempty"`
	// WeightDecay is λ; 0 is off.
	WeightDecay float64 `json:"weight_decay"`
	// ScaleParameter multiplies the rate by max(ε2, RMS(x)); nil means true.
	ScaleParameter *bool `json:"scale_parameter,omitempty"`
	// WarmupInit starts relative steps at 10⁻⁶.
	WarmupInit bool `json:"warmup_init,omitempty"`
}

// Name is "adafactor".
func (Adafactor) Name() string { return "adafactor" }

// BaseLR is LR, or 1 for relative steps: the schedule multiplies them.
func (o Adafactor) BaseLR() float64 { return orDefault(o.LR, 1) }

func (o Adafactor) withDefaults() Adafactor {
	o.Eps = orBetas(o.Eps, 1e-30, 1e-3)
	o.ClipThreshold, o.DecayRate = orDefault(o.ClipThreshold, 1), orDefault(o.DecayRate, -0.8)
	if o.ScaleParameter == nil {
		o.ScaleParameter = new(true)
	}
	return o
}

// Validate reports all faults at once.
func (o Adafactor) Validate() error {
	o = o.withDefaults()
	c := fieldChecks{rule: "Adafactor"}
	c.notNegative("LR", o.LR)
	c.positive("Eps[0]", o.Eps[0])
	c.positive("Eps[1]", o.Eps[1])
	c.positive("ClipThreshold", o.ClipThreshold)
	c.want("DecayRate", o.DecayRate, o.DecayRate < 0 && !math.IsInf(o.DecayRate, 0), "a finite number below 0")
	c.fraction("Beta1", o.Beta1)
	c.notNegative("WeightDecay", o.WeightDecay)
	c.want("WarmupInit", o.WarmupInit, !o.WarmupInit || o.LR == 0, "it without LR only")
	return c.err()
}

// Start allocates a number a row and a column, and one an element for vectors.
func (o Adafactor) Start(slots []Slot) (Updater, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	return (&factored{rule: adafactorRule{o}}).start(slots, o.WeightDecay)
}

type adafactorRule struct{ Adafactor }

func (r adafactorRule) rate(step int, c slotCoeff, rms float64) (size, decay float64) {
	size = c.lr
	if r.LR == 0 {
		top := 1e-2
		if r.WarmupInit {
			top = 1e-6 * float64(step)
		}
		size *= min(top, 1/math.Sqrt(float64(step)))
	}
	if *r.ScaleParameter {
		size *= max(r.Eps[1], rms)
	}
	return size, size * c.decay
}

func (r adafactorRule) keep(step int) float64 { return 1 - math.Pow(float64(step), r.DecayRate) }
func (r adafactorRule) added() float64        { return r.Eps[0] }
func (r adafactorRule) limit() float64        { return r.ClipThreshold }
func (r adafactorRule) momentum() float64     { return r.Beta1 }

// inverse takes the roots apart: products of tiny factors would underflow.
func (r adafactorRule) inverse(row, mean, column float64, _ bool) float64 {
	return 1 / math.Sqrt(row/mean) / math.Sqrt(column)
}

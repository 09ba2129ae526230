package train

import (
	"fmt"
	"math"
)

// ReduceOnPlateau multiplies the rate by Factor when the watched value has not
// improved for more than Patience observations (PyTorch's ReduceLROnPlateau).
type ReduceOnPlateau struct {
	// HigherIsBetter says that the value should grow.
	HigherIsBetter bool `json:"higher_is_better,omitempty"`
	// Factor of a cut; 0 means 0.1.
	Factor float64 `json:"factor,omitempty"`
	// Patience is the number of bad observations that are forgiven; nil means
	// 10.
	Patience *int `json:"patience,omitempty"`
	// Threshold is the smallest change that counts as an improvement; nil
	// means 1e-4.
	Threshold *float64 `json:"threshold,omitempty"`
	// AbsoluteThreshold reads Threshold as a difference, not as a share.
	AbsoluteThreshold bool `json:"absolute_threshold,omitempty"`
	// Cooldown is the number of observations after a cut during which bad ones
	// do not count.
	Cooldown int `json:"cooldown,omitempty"`
	// MinLR is the lowest rate, absolute.
	MinLR float64 `json:"min_lr,omitempty"`
}

// smallestCut is PyTorch's eps: a cut by less is not made.
const smallestCut = 1e-8

// Name is "reduce_lr_on_plateau".
func (ReduceOnPlateau) Name() string { return "reduce_lr_on_plateau" }

// LR is the base rate: the rate in force is the Reaction's.
func (ReduceOnPlateau) LR(_, _ int, base float64) float64 { return base }

func (s ReduceOnPlateau) withDefaults() ReduceOnPlateau {
	if s.Factor == 0 {
		s.Factor = 0.1
	}
	if s.Patience == nil {
		s.Patience = new(10)
	}
	if s.Threshold == nil {
		s.Threshold = new(1e-4)
	}
	return s
}

// Validate implements Schedule.
func (s ReduceOnPlateau) Validate() error {
	s = s.withDefaults()
	faults := checkNumber("ReduceOnPlateau.Threshold", *s.Threshold, 0, math.MaxFloat64)
	faults = append(faults, checkNumber("ReduceOnPlateau.MinLR", s.MinLR, 0, math.MaxFloat64)...)
	if !(s.Factor > 0 && s.Factor < 1) {
		faults = append(faults, fmt.Errorf("train: ReduceOnPlateau.Factor: got %v, want a number in (0, 1)", s.Factor))
	}
	if *s.Patience < 0 || s.Cooldown < 0 {
		faults = append(faults, fmt.Errorf("train: ReduceOnPlateau: got Patience %d and Cooldown %d, want at least 0", *s.Patience, s.Cooldown))
	}
	return optionFaults(faults)
}

// Start implements Reactive.
func (s ReduceOnPlateau) Start(base float64) Reaction {
	return &plateau{rule: s.withDefaults(), LR: base}
}

// plateau is the state of ReduceOnPlateau; exported fields are saved.
type plateau struct {
	rule     ReduceOnPlateau
	LR       float64  `json:"lr"`
	Best     *float64 `json:"best,omitempty"` // nil before the first observation
	Bad      int      `json:"bad"`
	Cooldown int      `json:"cooldown"`
}

func (p *plateau) Rate() float64 { return p.LR }

// Observe follows PyTorch: bad observations beyond Patience cut the rate and
// start the cool-down.
func (p *plateau) Observe(value float64) {
	if p.better(value) {
		p.Best, p.Bad = &value, 0
	} else {
		p.Bad++
	}
	if p.Cooldown > 0 {
		p.Cooldown--
		p.Bad = 0
	}
	if p.Bad <= *p.rule.Patience {
		return
	}
	if next := max(p.LR*p.rule.Factor, p.rule.MinLR); p.LR-next > smallestCut {
		p.LR = next
	}
	p.Cooldown, p.Bad = p.rule.Cooldown, 0
}

func (p *plateau) better(value float64) bool {
	if p.Best == nil {
		return !math.IsNaN(value)
	}
	return improves(value, *p.Best, *p.rule.Threshold, p.rule.AbsoluteThreshold, p.rule.HigherIsBetter)
}

// improves says whether value beats best by the threshold, as PyTorch decides.
func improves(value, best, threshold float64, absolute, higher bool) bool {
	switch {
	case absolute && higher:
		return value > best+threshold
	case absolute:
		return value < best-threshold
	case higher:
		return value > best*(1+threshold)
	}
	return value < best*(1-threshold)
}

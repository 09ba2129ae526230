package train

import (
	"fmt"
	"math"
)

// Greedy raises the rate while the watched value improves and lowers it while
// it does not (GreedyLR, Subramanian and Ganapathiraman, arXiv:2512.14527, as
// the Hugging Face library computes it). Its smoothing option is left out: watch
// a smoothed value instead.
type Greedy struct {
	// HigherIsBetter says that the value should grow.
	HigherIsBetter bool `json:"higher_is_better,omitempty"`
	// Factor lowers the rate, and divides it to raise it; 0 means 0.95.
	Factor float64 `json:"factor,omitempty"`
	// Patience is the number of good or bad observations in a row before the
	// rate moves at the next one; nil means 10.
	Patience *int `json:"patience,omitempty"`
	// Threshold is the smallest change that counts as an improvement; nil
	// means 1e-6.
	Threshold *float64 `json:"threshold,omitempty"`
	// RelativeThreshold reads Threshold as a share, not as a difference.
	RelativeThreshold bool `json:"relative_threshold,omitempty"`
	// Cooldown and Hold are numbers of observations that are ignored after the
	// rate was lowered and raised.
	Cooldown int `json:"cooldown,omitempty"`
	Hold     int `json:"warmup,omitempty"`
	// MinLR and MaxLR bound the rate, absolute; nil means 1e-3 and 1, which
	// suit SGD: set them.
	MinLR *float64 `json:"min_lr,omitempty"`
	MaxLR *float64 `json:"max_lr,omitempty"`
	// ResetAfter is how many times in a row the rate may be found at MinLR
	// before everything starts over from the base rate; 0 means 500.
	ResetAfter int `json:"reset_start,omitempty"`
}

// Name is "greedy".
func (Greedy) Name() string { return "greedy" }

// LR is the base rate: the rate in force is the Reaction's.
func (Greedy) LR(_, _ int, base float64) float64 { return base }

func (s Greedy) withDefaults() Greedy {
	if s.Factor == 0 {
		s.Factor = 0.95
	}
	if s.Patience == nil {
		s.Patience = new(10)
	}
	if s.Threshold == nil {
		s.Threshold = new(1e-6)
	}
	if s.MinLR == nil {
		s.MinLR = new(1e-3)
	}
	if s.MaxLR == nil {
		s.MaxLR = new(1.0)
	}
	if s.ResetAfter == 0 {
		s.ResetAfter = 500
	}
	return s
}

// Validate implements Schedule.
func (s Greedy) Validate() error {
	s = s.withDefaults()
	faults := checkNumber("Greedy.Threshold", *s.Threshold, 0, math.MaxFloat64)
	faults = append(faults, checkNumber("Greedy.MinLR", *s.MinLR, 0, *s.MaxLR)...)
	faults = append(faults, checkNumber("Greedy.MaxLR", *s.MaxLR, 0, math.MaxFloat64)...)
	if !(s.Factor > 0 && s.Factor < 1) {
		faults = append(faults, fmt.Errorf("train: Greedy.Factor: got %v, want a number in (0, 1)", s.Factor))
	}
	if *s.Patience < 0 || s.Cooldown < 0 || s.Hold < 0 || s.ResetAfter < 0 {
		faults = append(faults, fmt.Errorf("train: Greedy: got Patience %d, Cooldown %d, Hold %d and ResetAfter %d, want at least 0", *s.Patience, s.Cooldown, s.Hold, s.ResetAfter))
	}
	return optionFaults(faults)
}

// Start implements Reactive.
func (s Greedy) Start(base float64) Reaction {
	s = s.withDefaults()
	return &greedy{rule: s, base: base, LR: base, Left: s.ResetAfter}
}

// greedy is the state of Greedy; exported fields are saved.
type greedy struct {
	rule Greedy
	base float64
	LR   float64  `json:"lr"`
	Best *float64 `json:"best,omitempty"` // nil before the first observation
	Good int      `json:"good"`
	Bad  int      `json:"bad"`
	Wait int      `json:"wait"` // observations still to ignore
	Left int      `json:"left"` // findings at MinLR before a reset
}

func (s *greedy) Rate() float64 { return s.LR }

func (s *greedy) Observe(value float64) {
	if s.Wait > 0 {
		s.Wait--
		s.Good, s.Bad = 0, 0
		return
	}
	if s.better(value) {
		s.Best, s.Bad = &value, 0
		s.Good++
	} else {
		s.Good = 0
		s.Bad++
	}
	switch {
	case s.Good > *s.rule.Patience:
		s.Good, s.Wait, s.Left = 0, s.rule.Hold, s.rule.ResetAfter
		s.move(min(s.LR/s.rule.Factor, *s.rule.MaxLR))
	case s.Bad > *s.rule.Patience:
		s.Bad, s.Wait = 0, s.rule.Cooldown
		s.lower()
	}
}

func (s *greedy) better(value float64) bool {
	if s.Best == nil {
		return !math.IsNaN(value)
	}
	return improves(value, *s.Best, *s.rule.Threshold, !s.rule.RelativeThreshold, s.rule.HigherIsBetter)
}

func (s *greedy) lower() {
	s.move(max(s.LR*s.rule.Factor, *s.rule.MinLR))
	if s.LR > *s.rule.MinLR {
		return
	}
	if s.Left--; s.Left <= 0 {
		*s = *s.rule.Start(s.base).(*greedy)
	}
}

// move changes the rate unless the change is below the library's eps. A rate
// that starts outside the bounds is only moved into them in the direction asked
// for, as there.
func (s *greedy) move(next float64) {
	if math.Abs(next-s.LR) > smallestCut {
		s.LR = next
	}
}

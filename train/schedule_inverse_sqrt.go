package train

import (
	"fmt"
	"math"
)

// InverseSqrt falls as 1/√step after a linear warm-up (Vaswani et al. 2017,
// arXiv:1706.03762, section 5.3, as the Hugging Face library computes it).
type InverseSqrt struct {
	Warmup
	// Timescale is the number of steps after which the rate has fallen to
	// 1/√2; 0 means the warm-up's length, or 10,000 without one.
	Timescale int `json:"timescale,omitempty"`
}

const defaultTimescale = 10_000

// Name is "inverse_sqrt".
func (InverseSqrt) Name() string { return "inverse_sqrt" }

// LR implements Schedule.
func (s InverseSqrt) LR(step, total int, base float64) float64 {
	n := s.Length(total)
	scale := s.Timescale
	if scale == 0 {
		scale = n
	}
	if scale == 0 {
		scale = defaultTimescale
	}
	factor, warming := linearWarmup(step, n)
	if !warming {
		factor = 1 / math.Sqrt(float64(step+scale-n)/float64(scale))
	}
	return base * factor
}

// Validate implements Schedule.
func (s InverseSqrt) Validate() error {
	faults := s.validate("InverseSqrt")
	if s.Timescale < 0 {
		faults = append(faults, fmt.Errorf("train: InverseSqrt.Timescale: got %d, want at least 0", s.Timescale))
	}
	return optionFaults(faults)
}

package train

import (
	"fmt"
	"math"
)

// Polynomial falls from the base rate to End as (1-progress)^Power, after an
// optional linear warm-up, and stays at End.
type Polynomial struct {
	Warmup
	// Power of the fall; 0 means 1.
	Power float64 `json:"power,omitempty"`
	// End is the final rate, absolute; nil means 1e-7. It must be below the
	// base rate.
	End *float64 `json:"lr_end,omitempty"`
}

const defaultPolynomialEnd = 1e-7

// Name is "polynomial".
func (Polynomial) Name() string { return "polynomial" }

// LR implements Schedule.
func (s Polynomial) LR(step, total int, base float64) float64 {
	power, end := s.Power, defaultPolynomialEnd
	if power == 0 {
		power = 1
	}
	if s.End != nil {
		end = *s.End
	}
	n := s.Length(total)
	if factor, warming := linearWarmup(step, n); warming {
		return base * factor
	}
	if step > total {
		return end
	}
	return (base-end)*math.Pow(1-progress(step, n, total), power) + end
}

// Validate implements Schedule.
func (s Polynomial) Validate() error {
	faults := s.validate("Polynomial")
	if !(s.Power >= 0) || math.IsInf(s.Power, 0) {
		faults = append(faults, fmt.Errorf("train: Polynomial.Power: got %v, want a finite number of at least 0", s.Power))
	}
	if s.End != nil {
		faults = append(faults, checkNumber("Polynomial.End", *s.End, 0, math.MaxFloat64)...)
	}
	return optionFaults(faults)
}

package train

import (
	"fmt"
	"math"
)

// Schedule maps optimizer steps to learning rates. Schedules are plain structs;
// what depends on the run, its length and its base rate, is passed in.
type Schedule interface {
	// Name is the schedule's name in saved options: the Hugging Face one.
	Name() string
	// LR is the rate that optimizer step number step+1 uses, in a run of total
	// steps with the base rate base. Steps past total are allowed.
	LR(step, total int, base float64) float64
	// Validate reports all faults at once.
	Validate() error
}

// Warmup is the length of a linear warm-up from 0. Note that its first step has
// rate 0 and moves nothing, as in the Hugging Face library.
type Warmup struct {
	// Steps is the number of warm-up steps.
	Steps int `json:"warmup_steps,omitempty"`
	// Ratio is the share of all steps, rounded up, used when Steps is 0.
	Ratio float64 `json:"warmup_ratio,omitempty"`
}

// Length is the number of warm-up steps in a run of total steps.
func (w Warmup) Length(total int) int {
	if w.Steps > 0 {
		return w.Steps
	}
	return int(math.Ceil(w.Ratio * float64(total)))
}

func (w Warmup) validate(name string) []error {
	var faults []error
	if w.Steps < 0 {
		faults = append(faults, fmt.Errorf("train: %s.Warmup.Steps: got %d, want at least 0", name, w.Steps))
	}
	if !(w.Ratio >= 0 && w.Ratio <= 1) {
		faults = append(faults, fmt.Errorf("train: %s.Warmup.Ratio: got %v, want a number in [0, 1]", name, w.Ratio))
	}
	if w.Steps > 0 && w.Ratio > 0 {
		faults = append(faults, fmt.Errorf("train: %s.Warmup: got Steps %d and Ratio %v, want one of them", name, w.Steps, w.Ratio))
	}
	return faults
}

// linearWarmup is the multiplier of warm-up step step of n, and whether step is
// one.
func linearWarmup(step, n int) (float64, bool) {
	if step >= n {
		return 1, false
	}
	return float64(step) / float64(max(1, n)), true
}

// progress is how far step is between the end of a warm-up and the end.
func progress(step, warmup, total int) float64 {
	return float64(step-warmup) / float64(max(1, total-warmup))
}

// checkNumber reports a number outside [low, high].
func checkNumber(field string, v, low, high float64) []error {
	if v >= low && v <= high {
		return nil
	}
	return []error{fmt.Errorf("train: %s: got %v, want a number in [%v, %v]", field, v, low, high)}
}

package train

// Linear falls from the base rate to 0 at the end of the run, after an optional
// linear warm-up, and stays there. It is the default schedule.
type Linear struct {
	Warmup
}

// Name is "linear".
func (Linear) Name() string { return "linear" }

// LR implements Schedule.
func (s Linear) LR(step, total int, base float64) float64 {
	n := s.Length(total)
	factor, warming := linearWarmup(step, n)
	if !warming {
		factor = max(0, float64(total-step)/float64(max(1, total-n)))
	}
	return base * factor
}

// Validate implements Schedule.
func (s Linear) Validate() error { return optionFaults(s.validate("Linear")) }

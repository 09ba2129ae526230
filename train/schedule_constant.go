package train

// Constant keeps the base rate after an optional linear warm-up
// ("constant_with_warmup").
type Constant struct {
	Warmup
}

// Name is "constant_with_warmup".
func (Constant) Name() string { return "constant_with_warmup" }

// LR implements Schedule.
func (s Constant) LR(step, total int, base float64) float64 {
	factor, _ := linearWarmup(step, s.Length(total))
	return base * factor
}

// Validate implements Schedule.
func (s Constant) Validate() error { return optionFaults(s.validate("Constant")) }

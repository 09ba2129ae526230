package train

import "math"

// Cosine follows half a cosine from the base rate to 0, or to a floor, after an
// optional linear warm-up (Loshchilov and Hutter 2017, arXiv:1608.03983).
// Past the end of the run it rises again.
type Cosine struct {
	Warmup
	// Cycles is the number of waves; 0 means one half.
	Cycles float64 `json:"num_cycles,omitempty"`
	// MinLR is the floor, absolute; use it or MinRatio. The floor holds after
	// the warm-up only, which starts at 0.
	MinLR float64 `json:"min_lr,omitempty"`
	// MinRatio is the floor as a share of the base rate.
	MinRatio float64 `json:"min_lr_rate,omitempty"`
}

// Name is "cosine".
func (Cosine) Name() string { return "cosine" }

// LR implements Schedule.
func (s Cosine) LR(step, total int, base float64) float64 {
	n := s.Length(total)
	if factor, warming := linearWarmup(step, n); warming {
		return base * factor
	}
	return base * floored(cosineWave(progress(step, n, total), s.Cycles), s.MinLR, s.MinRatio, base)
}

// Validate implements Schedule.
func (s Cosine) Validate() error {
	return optionFaults(cosineFaults("Cosine", s.Warmup, s.Cycles, s.MinLR, s.MinRatio))
}

// CosineWarm is the variant "cosine_warmup_with_min_lr": the warm-up starts
// above 0, so that no step is lost, and the cosine comes one step early.
type CosineWarm struct {
	Warmup
	// Cycles is the number of waves; 0 means one half.
	Cycles float64 `json:"num_cycles,omitempty"`
	// MinLR is the floor, absolute; use it or MinRatio.
	MinLR float64 `json:"min_lr,omitempty"`
	// MinRatio is the floor as a share of the base rate.
	MinRatio float64 `json:"min_lr_rate,omitempty"`
	// StartRatio is the first rate as a share of the base rate; 0 means one
	// over the warm-up's length.
	StartRatio float64 `json:"warmup_lr_rate,omitempty"`
}

// Name is "cosine_warmup_with_min_lr".
func (CosineWarm) Name() string { return "cosine_warmup_with_min_lr" }

// LR implements Schedule.
func (s CosineWarm) LR(step, total int, base float64) float64 {
	n := s.Length(total)
	switch {
	case step >= n:
		p := (float64(step-n) + 1) / float64(max(1, total-n))
		return base * floored(cosineWave(p, s.Cycles), s.MinLR, s.MinRatio, base)
	case s.StartRatio == 0:
		return base * (float64(step) + 1) / float64(max(1, n))
	}
	return base * (s.StartRatio + (1-s.StartRatio)*float64(step)/float64(max(1, n-1)))
}

// Validate implements Schedule.
func (s CosineWarm) Validate() error {
	faults := cosineFaults("CosineWarm", s.Warmup, s.Cycles, s.MinLR, s.MinRatio)
	return optionFaults(append(faults, checkNumber("CosineWarm.StartRatio", s.StartRatio, 0, 1)...))
}

// CosineRestarts jumps back to the base rate after each of its half cosines
// (Loshchilov and Hutter 2017, arXiv:1608.03983, SGDR), and is 0 after the run.
type CosineRestarts struct {
	Warmup
	// Cycles is the number of falls; 0 means 1.
	Cycles int `json:"num_cycles,omitempty"`
}

// Name is "cosine_with_restarts".
func (CosineRestarts) Name() string { return "cosine_with_restarts" }

// LR implements Schedule.
func (s CosineRestarts) LR(step, total int, base float64) float64 {
	n := s.Length(total)
	if factor, warming := linearWarmup(step, n); warming {
		return base * factor
	}
	p := progress(step, n, total)
	if p >= 1 {
		return 0
	}
	within := math.Mod(float64(max(1, s.Cycles))*p, 1)
	return base * max(0, 0.5*(1+math.Cos(math.Pi*within)))
}

// Validate implements Schedule.
func (s CosineRestarts) Validate() error {
	faults := s.validate("CosineRestarts")
	return optionFaults(append(faults, checkNumber("CosineRestarts.Cycles", float64(s.Cycles), 0, math.MaxInt32)...))
}

// cosineWave is the multiplier at progress p with the given number of waves.
func cosineWave(p, cycles float64) float64 {
	if cycles == 0 {
		cycles = 0.5
	}
	return 0.5 * (1 + math.Cos(math.Pi*cycles*2*p))
}

// floored squeezes a multiplier into [floor, 1].
func floored(factor, minLR, minRatio, base float64) float64 {
	if minLR > 0 {
		minRatio = minLR / base
	}
	return max(0, factor*(1-minRatio)+minRatio)
}

func cosineFaults(name string, w Warmup, cycles, minLR, minRatio float64) []error {
	faults := w.validate(name)
	faults = append(faults, checkNumber(name+".Cycles", cycles, 0, math.MaxInt32)...)
	faults = append(faults, checkNumber(name+".MinLR", minLR, 0, math.MaxFloat64)...)
	faults = append(faults, checkNumber(name+".MinRatio", minRatio, 0, 1)...)
	if minLR > 0 && minRatio > 0 {
		faults = append(faults, checkNumber(name+".MinRatio beside MinLR", minRatio, 0, 0)...)
	}
	return faults
}

package lora

import (
	"errors"
	"fmt"
	"math"
)

// Budget says how AdaLoRA lowers the ranks of all layers together from r to an
// average of TargetRank (Zhang et al. 2023, arXiv:2303.10512, §3). Package adalora
// does it; the adapter only keeps the numbers, which are written to its folder. The
// zero value has the documented defaults but for TotalSteps, which is required.
type Budget struct {
	TargetRank int // average rank at the end; 0 means 8
	// TotalSteps is the length of the run. In the first Warmup steps nothing is taken
	// away, in the last Final nothing changes any more; between them the budget falls
	// with the third power of what is left, every Interval steps; 0 means 1.
	TotalSteps, Warmup, Final, Interval int
	// Beta1 smooths the importance and Beta2 its uncertainty; 0 means 0.85.
	Beta1, Beta2 float64
	// Orthogonality is the factor γ of ‖BᵀB − I‖² + ‖A·Aᵀ − I‖², summed over the
	// layers; 0 means the paper's 0.1. PEFT takes 0.5 of the mean of the norms
	// without the square.
	Orthogonality float64
	// Kept says which of the ranks of the start the layers still have, by path. Layers
	// that are not named have all. It comes from a file and from Prune.
	Kept Patterns[[]bool]
}

func (b Budget) withDefaults() Budget {
	for p, def := range map[*int]int{&b.TargetRank: 8, &b.Interval: 1} {
		if *p == 0 {
			*p = def
		}
	}
	for p, def := range map[*float64]float64{&b.Beta1: 0.85, &b.Beta2: 0.85, &b.Orthogonality: 0.1} {
		if *p == 0 {
			*p = def
		}
	}
	return b
}

// check reports everything wrong with the budget of a method.
func (b Budget) check(m Method) error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("%w: budget: "+format, append([]any{ErrConfig}, args...)...))
		}
	}
	if m != AdaLoRA {
		bad(b.TargetRank != 0 || b.TotalSteps != 0 || len(b.Kept) > 0, "numbers are given, want them only with %s", AdaLoRA)
		return errors.Join(errs...)
	}
	bad(b.TargetRank < 0 || b.TargetRank > maxRank, "target rank is %d, want 1 to %d (0 for 8)", b.TargetRank, maxRank)
	bad(b.TotalSteps < 1, "total steps are %d, want at least 1", b.TotalSteps)
	bad(b.Warmup < 0 || b.Final < 0 || b.Interval < 0, "warmup, final steps and interval are %d, %d and %d, want none below 0", b.Warmup, b.Final, b.Interval)
	bad(b.TotalSteps > 0 && b.Warmup >= b.TotalSteps-b.Final, "warmup and final steps are %d and %d of %d, want some between them", b.Warmup, b.Final, b.TotalSteps)
	for _, beta := range []float64{b.Beta1, b.Beta2} {
		bad(!(beta >= 0 && beta < 1), "beta is %g, want 0 up to but not 1 (0 for 0.85)", beta)
	}
	bad(!(b.Orthogonality >= 0) || math.IsInf(b.Orthogonality, 0), "orthogonality is %g, want a finite number not below 0", b.Orthogonality)
	return errors.Join(errs...)
}

// kept is which ranks the layer at path has; nil for all.
func (b Budget) kept(path string) []bool {
	for _, k := range b.Kept {
		if k.Key == path {
			return k.Value
		}
	}
	return nil
}

package blend

import (
	"fmt"
	"math"
)

// Linear is Σ wᵢ·θᵢ / Σ wᵢ: the uniform model soup (Wortsman et al. 2022,
// arXiv:2203.05482, section 2) where Factors is nil, else a weighted one. Two models
// with factors 1−α and α are the interpolation of WiSE-FT (Wortsman et al. 2021,
// arXiv:2109.01903).
type Linear struct {
	// Factors are the weights of the models, not all 0 together; nil means 1 each.
	Factors []float64
}

// Name is "linear".
func (Linear) Name() string { return "linear" }

// NeedsBase is false.
func (Linear) NeedsBase() bool { return false }

// Check reports factors that do not fit.
func (l Linear) Check(models int) error {
	sum, err := checkFactors("linear", l.Factors, models)
	if err == nil && sum == 0 {
		err = fmt.Errorf("blend: linear: Factors: got %v, want a sum that is not 0", l.Factors)
	}
	return err
}

// checkFactors wants one finite factor a model; it gives their sum.
func checkFactors(name string, factors []float64, models int) (sum float64, err error) {
	if models < 1 {
		return 0, fmt.Errorf("blend: %s: got no models, want one at least", name)
	}
	if factors == nil {
		return float64(models), nil
	}
	if len(factors) != models {
		return 0, fmt.Errorf("blend: %s: Factors: got %d for %d models, want one each", name, len(factors), models)
	}
	for i, f := range factors {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return 0, fmt.Errorf("blend: %s: Factors[%d]: got %g, want a finite number", name, i, f)
		}
		sum += f
	}
	return sum, nil
}

// factor is the factor of model i.
func factor(factors []float64, i int) float64 {
	if factors == nil {
		return 1
	}
	return factors[i]
}

// Combine computes one parameter.
func (l Linear) Combine(dst, _ []float64, models [][]float64, _ string) {
	sum := 0.0
	for i, values := range models {
		f := factor(l.Factors, i)
		sum += f
		for j, x := range values {
			dst[j] += f * x
		}
	}
	for j := range dst {
		dst[j] /= sum
	}
}

package blend

import (
	"fmt"
	"math"
)

// SLERP goes from one of two models to the other along the arc between them
// (Shoemake 1985), tensor by tensor: sin((1−t)Ω)/sin Ω·θ₀ + sin(tΩ)/sin Ω·θ₁, where Ω
// is the angle between them. It keeps the length of weights that a straight line
// between them shortens. Tensors that are nearly parallel, opposed or zero are
// interpolated on the line. WARP (Ramé et al. 2024, arXiv:2406.16768, eq. 3) does
// this to task vectors: Task.
type SLERP struct {
	// T is how far to go, 0 for the first model, 1 for the second.
	T float64
	// Task measures angles between what training added to the base.
	Task bool
}

// Name is "slerp".
func (SLERP) Name() string { return "slerp" }

// NeedsBase says whether task vectors are meant.
func (s SLERP) NeedsBase() bool { return s.Task }

// Check wants two models and a T between them.
func (s SLERP) Check(models int) error {
	if models != 2 {
		return fmt.Errorf("blend: slerp: got %d models, want two", models)
	}
	if !(s.T >= 0 && s.T <= 1) {
		return fmt.Errorf("blend: slerp: T: got %g, want a number in [0, 1]", s.T)
	}
	return nil
}

// nearlyParallel is the cosine from which on sin Ω has too few digits.
const nearlyParallel = 1 - 1e-9

// Combine computes one parameter.
func (s SLERP) Combine(dst, base []float64, models [][]float64, _ string) {
	at := func(i, j int) float64 {
		if base == nil {
			return models[i][j]
		}
		return models[i][j] - base[j]
	}
	var dot, aa, bb float64
	for j := range dst {
		a, b := at(0, j), at(1, j)
		dot, aa, bb = dot+a*b, aa+a*a, bb+b*b
	}
	p, q := 1-s.T, s.T
	if cos := dot / math.Sqrt(aa*bb); math.Abs(cos) < nearlyParallel { // not where one is zero: NaN
		angle := math.Acos(cos)
		p, q = math.Sin(p*angle)/math.Sin(angle), math.Sin(q*angle)/math.Sin(angle)
	}
	for j := range dst {
		dst[j] = p*at(0, j) + q*at(1, j)
		if base != nil {
			dst[j] += base[j]
		}
	}
}

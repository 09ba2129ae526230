package rlhf

import (
	"errors"
	"fmt"
	"math"
)

// TRPO is trust region policy optimisation: the largest step along the natural gradient
// that keeps the policy near the one that sampled,
//
//	max E[π/π_old·A]  so that  E[KL(π_old‖π)] ≤ δ
//
// Conjugate gradients solve (F + damping)·x = g, with g the gradient of the surrogate and F
// the Hessian of the KL at π_old, which is the Fisher matrix; the step is
// √(2δ/xᵀFx)·x, shortened by Backtrack until the measured KL is within δ and the measured
// surrogate has improved. If no length will do, the parameters stay as they were: δ is
// never exceeded.
//
// Schulman et al. 2015, "Trust Region Policy Optimization", arXiv:1502.05477, §6 and
// appendix C.
//
// Products with F are differences of gradients of the KL,
// F·v ≈ (∇KL(θ+hv) − ∇KL(θ−hv))/2h, as the graph's gradients cannot be differentiated
// again; they cost two gradients each, as exact ones would.
type TRPO struct {
	MaxKL      float64 `json:"max_kl,omitempty"`     // δ in nats: 0.01
	Damping    float64 `json:"damping,omitempty"`    // added to F: 0.1; negative is 0
	Iterations int     `json:"iterations,omitempty"` // of conjugate gradients: 10
	Backtrack  float64 `json:"backtrack,omitempty"`  // 0.8
	Backtracks int     `json:"backtracks,omitempty"` // at most so many: 20
	// Difference is the length of hv, 1e-5; parameters in float32 want about 3e-3.
	Difference float64 `json:"difference,omitempty"`
}

// TrustRegion is a policy as TRPO sees it: a list of parameters, and two functions of
// them with their gradients. What was sampled, and π_old, do not change during a step.
type TrustRegion interface {
	// Parameters are a copy of the parameters in one list.
	Parameters() []float64
	SetParameters([]float64) error
	// Surrogate is E[π/π_old·A], to be raised; its gradient is written to grad unless that
	// is nil.
	Surrogate(grad []float64) (float64, error)
	// KL is E[KL(π_old‖π)] in nats, exact over the vocabulary.
	KL(grad []float64) (float64, error)
}

// TRPOStep is what a step did.
type TRPOStep struct {
	Accepted   bool
	Gain       float64 // by how much the surrogate rose
	KL         float64 // nats
	Expected   float64 // gain of the linear model
	Backtracks int
}

// Validate reports all faulty numbers.
func (o TRPO) Validate() error {
	var faults []error
	for _, f := range []struct {
		name  string
		value float64
		ok    bool
	}{
		{"MaxKL", o.MaxKL, o.MaxKL >= 0}, {"Backtrack", o.Backtrack, o.Backtrack >= 0 && o.Backtrack < 1},
		{"Difference", o.Difference, o.Difference >= 0}, {"Iterations", float64(o.Iterations), o.Iterations >= 0},
		{"Backtracks", float64(o.Backtracks), o.Backtracks >= 0}, {"Damping", o.Damping, !math.IsNaN(o.Damping)},
	} {
		if !f.ok {
			faults = append(faults, fmt.Errorf("rlhf: TRPO: %s is %g, want at least 0 (0 takes the default), Backtrack below 1", f.name, f.value))
		}
	}
	return errors.Join(faults...)
}

func (o TRPO) withDefaults() TRPO {
	o.MaxKL, o.Backtrack, o.Difference = orDefault(o.MaxKL, 0.01), orDefault(o.Backtrack, 0.8), orDefault(o.Difference, 1e-5)
	o.Damping = math.Max(0, orDefault(o.Damping, 0.1))
	if o.Iterations == 0 {
		o.Iterations = 10
	}
	if o.Backtracks == 0 {
		o.Backtracks = 20
	}
	return o
}

// Step moves the policy once.
func (o TRPO) Step(p TrustRegion) (TRPOStep, error) {
	if err := o.Validate(); err != nil {
		return TRPOStep{}, err
	}
	o = o.withDefaults()
	start := p.Parameters()
	gradient := make([]float64, len(start))
	before, err := p.Surrogate(gradient)
	if err != nil {
		return TRPOStep{}, err
	}
	x, curvature, err := o.solve(p, start, gradient)
	if err != nil || curvature <= 0 { // no gradient, no step
		return TRPOStep{}, err
	}
	length := math.Sqrt(2 * o.MaxKL / curvature)
	step := TRPOStep{Expected: length * dot(gradient, x)}
	for ; step.Backtracks <= o.Backtracks; step.Backtracks++ {
		if err := p.SetParameters(moved(start, x, length)); err != nil {
			return step, err
		}
		kl, err := p.KL(nil)
		if err != nil {
			return step, err
		}
		after, err := p.Surrogate(nil)
		if err != nil {
			return step, err
		}
		if kl <= o.MaxKL && after > before {
			step.Accepted, step.KL, step.Gain = true, kl, after-before
			return step, nil
		}
		length *= o.Backtrack
	}
	return step, p.SetParameters(start)
}

// NaturalGradient is x = (F + damping)⁻¹·∇surrogate at the present parameters, which it
// leaves as they are.
func (o TRPO) NaturalGradient(p TrustRegion) ([]float64, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	start := p.Parameters()
	gradient := make([]float64, len(start))
	if _, err := p.Surrogate(gradient); err != nil {
		return nil, err
	}
	x, _, err := o.withDefaults().solve(p, start, gradient)
	return x, err
}

// residualTol ends conjugate gradients when the residual has fallen by that much.
const residualTol = 1e-10

// solve is x of (F + damping)·x = g by conjugate gradients, and xᵀFx.
func (o TRPO) solve(p TrustRegion, at, g []float64) (x []float64, curvature float64, err error) {
	x = make([]float64, len(g))
	r, d := append([]float64(nil), g...), append([]float64(nil), g...)
	rr := dot(r, r)
	first := rr
	for i := 0; i < o.Iterations && rr > residualTol*residualTol*first; i++ {
		fd, err := o.product(p, at, d)
		if err != nil {
			return nil, 0, err
		}
		alpha := rr / dot(d, fd)
		for k := range x {
			x[k] += alpha * d[k]
			r[k] -= alpha * fd[k]
		}
		next := dot(r, r)
		for k := range d {
			d[k] = r[k] + next/rr*d[k]
		}
		rr = next
	}
	fx, err := o.product(p, at, x)
	return x, dot(x, fx) - o.Damping*dot(x, x), err
}

// product is (F + damping)·v at the parameters at, to which it returns.
func (o TRPO) product(p TrustRegion, at, v []float64) ([]float64, error) {
	norm := math.Sqrt(dot(v, v))
	out := make([]float64, len(v))
	if norm == 0 {
		return out, nil
	}
	h := o.Difference / norm
	other := make([]float64, len(v))
	for _, side := range []struct {
		grad []float64
		h    float64
	}{{out, h}, {other, -h}} {
		if err := p.SetParameters(moved(at, v, side.h)); err != nil {
			return nil, err
		}
		if _, err := p.KL(side.grad); err != nil {
			return nil, err
		}
	}
	for i := range out {
		out[i] = (out[i]-other[i])/(2*h) + o.Damping*v[i]
	}
	return out, p.SetParameters(at)
}

// moved is x + by·d.
func moved(x, d []float64, by float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = x[i] + by*d[i]
	}
	return out
}

func dot(x, y []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

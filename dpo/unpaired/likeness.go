package unpaired

import (
	"fmt"
	"math"
)

// Likeness estimates, for BCO's density ratio, the probability that each prompt
// comes with a desirable answer: logistic regression on embeddings of the prompts,
// with both classes weighted alike (scikit-learn's class_weight "balanced", which
// TRL uses) and a ridge of ½·‖w‖², by Newton's method. Put the results into
// Row.Likeness. Embeddings, one a row and of one width, come from the caller, for
// example mean hidden states.
func Likeness(embeddings [][]float64, desirable []bool) ([]float64, error) {
	if len(embeddings) == 0 || len(embeddings) != len(desirable) {
		return nil, fmt.Errorf("unpaired: Likeness: got %d embeddings and %d labels, want as many, at least one", len(embeddings), len(desirable))
	}
	width := len(embeddings[0])
	good := 0.0
	for i, e := range embeddings {
		if len(e) != width {
			return nil, fmt.Errorf("unpaired: Likeness: embedding %d: got %d numbers, want %d as the first has", i, len(e), width)
		}
		for _, v := range e {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("unpaired: Likeness: embedding %d: got %g, want finite numbers", i, v)
			}
		}
		if desirable[i] {
			good++
		}
	}
	n := float64(len(embeddings))
	if good == 0 || good == n {
		return nil, fmt.Errorf("%w: unpaired: Likeness: got %g desirable of %g, want both", ErrOneClass, good, n)
	}
	r := &regression{x: embeddings, y: desirable, weight: [2]float64{n / (2 * (n - good)), n / (2 * good)}, w: make([]float64, width+1)}
	for range newtonSteps {
		if r.step() < newtonTol {
			break
		}
	}
	out := make([]float64, len(embeddings))
	for i := range out {
		out[i] = r.probability(i)
	}
	return out, nil
}

const (
	newtonSteps = 50
	// newtonTol ends the iteration when no weight moves further.
	newtonTol = 1e-10
)

// regression is a logistic regression under way; the last weight is the intercept,
// which has no ridge.
type regression struct {
	x      [][]float64
	y      []bool
	weight [2]float64 // of undesirable and desirable rows
	w      []float64
}

func (r *regression) feature(i, k int) float64 {
	if k == len(r.w)-1 {
		return 1
	}
	return r.x[i][k]
}

func (r *regression) probability(i int) float64 {
	z := 0.0
	for k, w := range r.w {
		z += w * r.feature(i, k)
	}
	return 1 / (1 + math.Exp(-z))
}

// step is a step of Newton's, halved until the objective falls; it returns how far
// the weights moved.
func (r *regression) step() float64 {
	d := len(r.w)
	h, g := make([][]float64, d), make([]float64, d)
	for k := range h {
		h[k] = make([]float64, d)
		if k < d-1 {
			h[k][k], g[k] = 1, r.w[k]
		}
	}
	for i := range r.x {
		p, c, y := r.probability(i), r.weight[0], 0.0
		if r.y[i] {
			c, y = r.weight[1], 1
		}
		for k := range d {
			g[k] += c * (p - y) * r.feature(i, k)
			for j := range k + 1 {
				h[k][j] += c * p * (1 - p) * r.feature(i, k) * r.feature(i, j)
			}
		}
	}
	solve(h, g)
	before, start := r.objective(), append([]float64(nil), r.w...)
	for size := 1.0; size > newtonTol; size /= 2 {
		moved := 0.0
		for k := range r.w {
			r.w[k] = start[k] - size*g[k]
			moved = math.Max(moved, math.Abs(size*g[k]))
		}
		if r.objective() <= before {
			return moved
		}
	}
	copy(r.w, start)
	return 0
}

// objective is what is minimised.
func (r *regression) objective() float64 {
	sum := 0.0
	for _, w := range r.w[:len(r.w)-1] {
		sum += w * w / 2
	}
	for i := range r.x {
		z := 0.0
		for k, w := range r.w {
			z += w * r.feature(i, k)
		}
		if c := r.weight[0]; r.y[i] {
			sum += r.weight[1] * softplus(-z)
		} else {
			sum += c * softplus(z)
		}
	}
	return sum
}

func softplus(z float64) float64 { return math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }

// solve replaces g by h⁻¹·g, with the lower triangle of a positive definite h, by
// Cholesky's decomposition. A vanishing pivot, of a direction in which nothing is
// known, is kept from it.
func solve(h [][]float64, g []float64) {
	const least = 1e-12
	for k := range g {
		for j := range k + 1 {
			sum := h[k][j]
			for m := range j {
				sum -= h[k][m] * h[j][m]
			}
			if k == j {
				h[k][k] = math.Sqrt(math.Max(sum, least))
			} else {
				h[k][j] = sum / h[j][j]
			}
		}
		for m := range k {
			g[k] -= h[k][m] * g[m]
		}
		g[k] /= h[k][k]
	}
	for k := len(g) - 1; k >= 0; k-- {
		for m := k + 1; m < len(g); m++ {
			g[k] -= h[m][k] * g[m]
		}
		g[k] /= h[k][k]
	}
}

package blend

import (
	"fmt"
	"math"
	"slices"
)

// TIES adds to the base what several trainings agree on (Yadav et al. 2023,
// arXiv:2306.01708, algorithm 1): of each task vector θᵢ − θ only the Density largest
// elements stay (trim); the sign of an element is that of the sum of what is left
// (elect); and those of that sign are averaged, times Scale (disjoint mean). Factors
// multiply what is averaged, after the election, as in PEFT.
//
// Deviation: elements are trimmed tensor by tensor, as PEFT does, not over the whole
// model.
type TIES struct {
	Density float64   // share of elements that stay, in (0, 1]; 0 means 0.2
	Scale   float64   // λ; 0 means 1
	Factors []float64 // of the models; nil means 1 each
}

// Name is "ties".
func (TIES) Name() string { return "ties" }

// NeedsBase is true.
func (TIES) NeedsBase() bool { return true }

// Check reports settings that make no sense.
func (t TIES) Check(models int) error {
	return checkTask("ties", t.Density, t.Scale, t.Factors, models)
}

func checkTask(name string, density, scale float64, factors []float64, models int) error {
	if !(density >= 0 && density <= 1) {
		return fmt.Errorf("blend: %s: Density: got %g, want a number in (0, 1], or 0 for the default", name, density)
	}
	if math.IsNaN(scale) || math.IsInf(scale, 0) {
		return fmt.Errorf("blend: %s: Scale: got %g, want a finite number, or 0 for 1", name, scale)
	}
	_, err := checkFactors(name, factors, models)
	return err
}

// Combine computes one parameter.
func (t TIES) Combine(dst, base []float64, models [][]float64, _ string) {
	tasks := make([][]float64, len(models))
	for i, values := range models {
		tasks[i] = difference(values, base)
		trim(tasks[i], orElse(t.Density, 0.2))
	}
	agree(dst, tasks, t.Factors)
	addScaled(dst, base, orElse(t.Scale, 1))
}

// orElse is v, or a default for 0.
func orElse(v, byDefault float64) float64 {
	if v == 0 {
		return byDefault
	}
	return v
}

// difference is a − b.
func difference(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}

// trim sets all but the largest elements to 0: ⌊density·n⌋ stay, of equal ones the
// first.
func trim(task []float64, density float64) {
	keep := int(density * float64(len(task)))
	order := make([]int, len(task))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := math.Abs(task[a]), math.Abs(task[b])
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	for _, i := range order[keep:] {
		task[i] = 0
	}
}

// agree sets dst to the mean, each times its factor, of those elements whose sign is
// that of the sum.
func agree(dst []float64, tasks [][]float64, factors []float64) {
	for j := range dst {
		mass := 0.0
		for _, t := range tasks {
			mass += t[j]
		}
		sum, n := 0.0, 0
		for i, t := range tasks {
			if t[j]*mass > 0 {
				sum += factor(factors, i) * t[j]
				n++
			}
		}
		dst[j] = sum / float64(max(1, n))
	}
}

// addScaled turns a combined task vector into weights.
func addScaled(dst, base []float64, scale float64) {
	for i := range dst {
		dst[i] = base[i] + scale*dst[i]
	}
}

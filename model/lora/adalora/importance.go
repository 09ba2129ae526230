package adalora

import (
	"cmp"
	"math"
	"slices"

	"github.com/posttrain/posttrain/tensor"
)

// average is the smoothed importance of every element of a parameter, and its
// uncertainty.
type average struct {
	param                   *tensor.Param
	importance, uncertainty []float64
}

func newAverage(p *tensor.Param) *average {
	return &average{p, make([]float64, p.Len()), make([]float64, p.Len())}
}

// observe takes the gradients of a step in: eq. 8–10 of the paper.
//
//	I = |w·∂w|   Ī ← β₁Ī + (1−β₁)I   Ū ← β₂Ū + (1−β₂)|I − Ī|
func (a *average) observe(beta1, beta2 float64) error {
	x, grad, err := values(a.param)
	if err != nil {
		return err
	}
	for i := range x {
		now := math.Abs(x[i] * grad[i])
		a.importance[i] = beta1*a.importance[i] + (1-beta1)*now
		a.uncertainty[i] = beta2*a.uncertainty[i] + (1-beta2)*math.Abs(now-a.importance[i])
	}
	return nil
}

// score is s = Ī·Ū of an element.
func (a *average) score(i int) float64 { return a.importance[i] * a.uncertainty[i] }

// scores are those of the singular values with their vectors: eq. 7.
//
//	S_k = s(λ_k) + mean_i s(B_ik) + mean_j s(A_kj)
func (l *layer) scores() []float64 {
	rank := l.e.param.Len()
	in, out := l.a.param.Len()/rank, l.b.param.Len()/rank
	list := make([]float64, rank)
	for k := range rank {
		row, column := 0.0, 0.0
		for j := range in {
			row += l.a.score(k*in + j)
		}
		for i := range out {
			column += l.b.score(i*rank + k)
		}
		list[k] = l.e.score(k) + row/float64(in) + column/float64(out)
	}
	return list
}

// allocate keeps the budget of singular values with the highest scores. Of equal ones
// the first counts.
func (s *Allocator) allocate(budget int) {
	type place struct {
		layer *layer
		k     int
		score float64
	}
	var all []place
	for _, l := range s.layers {
		for k, score := range l.scores() {
			all = append(all, place{l, k, score})
		}
	}
	slices.SortStableFunc(all, func(p, q place) int { return cmp.Compare(q.score, p.score) })
	for i, p := range all {
		p.layer.off[p.k] = i >= budget
	}
}

package train

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// amsGrad is the element-wise loop of AdamW with AMSGrad, in float64 inside and
// rounded once on storing. It is rarely used, so it has no fused kernel.
func amsGrad[T kernel.Float](p, g []T, s moments[T], k kernel.AdamWCoeff) {
	correction1 := 1 - math.Pow(k.Beta1, float64(k.Step))
	root2 := math.Sqrt(1 - math.Pow(k.Beta2, float64(k.Step)))
	for i := range p {
		gi := float64(g[i]) * k.GradScale
		m := k.Beta1*float64(s.m[i]) + (1-k.Beta1)*gi
		v := k.Beta2*float64(s.v[i]) + (1-k.Beta2)*gi*gi
		top := max(float64(s.largest[i]), v)
		s.m[i], s.v[i], s.largest[i] = T(m), T(v), T(top)
		x := float64(p[i]) * (1 - k.LR*k.WeightDecay)
		p[i] = T(x - k.LR/correction1*m/(math.Sqrt(top)/root2+k.Eps))
	}
}

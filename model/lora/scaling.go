package lora

import (
	"slices"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// scaling is the update of IA³: Liu et al. 2022, arXiv:2205.05638.
type scaling struct {
	inward bool // what goes in is multiplied
	scale  *nn.Scaling
}

func newScaling(m *matcher, l *layer) update {
	inward := named(m.Feedforward, l.path)
	if m.feedforward != nil {
		inward = m.feedforward.MatchString(l.path)
	}
	return &scaling{inward: inward, scale: &nn.Scaling{}}
}

func (u *scaling) clone() update { return &scaling{inward: u.inward, scale: &nn.Scaling{}} }

func (u *scaling) adapter() any { return u.scale }

func (u *scaling) parts(m *module) []part {
	p := part{key: "ia3_l", file: m.file() + "ia3_l", shape: []int{m.out(), 1}, flat: true, param: &u.scale.Out}
	if u.inward {
		p.shape, p.param = []int{1, m.in()}, &u.scale.In
	}
	return []part{p}
}

// vector is the parameter.
func (u *scaling) vector() *tensor.Param {
	if u.inward {
		return u.scale.In
	}
	return u.scale.Out
}

// draw sets ones.
func (u *scaling) draw(*module, Config) error {
	fill(u.vector(), func() float64 { return 1 })
	return nil
}

func (u *scaling) zero(*module) bool {
	return !slices.ContainsFunc(u.vector().Data(), func(x float32) bool { return x != 1 }) &&
		!slices.ContainsFunc(u.vector().Data64(), func(x float64) bool { return x != 1 })
}

func (u *scaling) merge(m *module, w []float64) error {
	l, err := wide(u.vector())
	if err != nil {
		return err
	}
	m.multiply(w, func(out, in int) float64 {
		if u.inward {
			return l[in]
		}
		return l[out]
	})
	return nil
}

func (u *scaling) changesBias() bool { return !u.inward }

func (u *scaling) mergeBias(bias []float64) error {
	l, err := wide(u.vector())
	for i, x := range l {
		bias[i] *= x
	}
	return err
}

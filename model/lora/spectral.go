package lora

import (
	"errors"
	"math/rand/v2"

	"github.com/posttrain/posttrain/model/nn"
)

// spectral is the update of AdaLoRA: Zhang et al. 2023, arXiv:2303.10512.
type spectral struct {
	noBias
	kept  []bool // of the ranks of the start, those that the file has; nil for all
	rank  int    // those that there are
	value *nn.Spectral
}

// rankOffset is what PEFT adds to the rank that divides the scale.
const rankOffset = 1e-5

// initialDeviation is PEFT's of A and B.
const initialDeviation = 0.02

func newSpectral(m *matcher, l *layer) update {
	u := &spectral{rank: m.Rank, kept: m.Budget.kept(l.path)}
	if u.kept != nil {
		u.rank = 0
		for _, k := range u.kept {
			if k {
				u.rank++
			}
		}
	}
	u.value = &nn.Spectral{Scale: m.Alpha / (float64(m.Rank) + rankOffset), Dropout: m.Dropout, Salt: salt(l.path)}
	return u
}

func (u *spectral) clone() update {
	c := *u
	c.value = &nn.Spectral{Scale: u.value.Scale, Dropout: u.value.Dropout, Salt: u.value.Salt}
	return &c
}

// adapter is nil where no rank is left.
func (u *spectral) adapter() any {
	if u.rank == 0 {
		return nil
	}
	return u.value
}

func (u *spectral) parts(m *module) []part {
	file := m.file()
	return []part{
		{key: "lora_A", file: file + "lora_A", shape: []int{u.rank, m.in()}, param: &u.value.A},
		{key: "lora_E", file: file + "lora_E", shape: []int{u.rank, 1}, flat: true, param: &u.value.E},
		{key: "lora_B", file: file + "lora_B", shape: []int{m.out(), u.rank}, param: &u.value.B},
	}
}

// draw follows PEFT: A and B from N(0, 0.02²), E = 0.
func (u *spectral) draw(m *module, c Config) error {
	r := rand.New(rand.NewPCG(c.Seed, salt(m.path)))
	normal := func() float64 { return initialDeviation * r.NormFloat64() }
	fill(u.value.A, normal)
	fill(u.value.B, normal)
	return nil
}

func (u *spectral) zero(*module) bool {
	return isZero(u.value.E) || isZero(u.value.A) || isZero(u.value.B)
}

func (u *spectral) merge(m *module, w []float64) error {
	if u.rank == 0 {
		return nil
	}
	b, a, err := u.factors()
	if err == nil {
		m.addProduct(w, u.rank, u.value.Scale, b, a)
	}
	return err
}

// factors are B and diag(E)·A.
func (u *spectral) factors() (b, a []float64, err error) {
	a, err1 := wide(u.value.A)
	e, err2 := wide(u.value.E)
	b, err3 := wide(u.value.B)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, nil, err
	}
	in := len(a) / u.rank
	for i := range a {
		a[i] *= e[i/in]
	}
	return b, a, nil
}

package lora

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// hadamard is the update of LoHa: Hyeon-Woo et al. 2021, arXiv:2108.06098.
type hadamard struct {
	noBias
	rank  int
	value *nn.Hadamard
}

func newHadamard(m *matcher, l *layer) update {
	rank, scale := m.size(l.path)
	return &hadamard{rank: rank, value: &nn.Hadamard{Scale: scale}}
}

func (u *hadamard) clone() update {
	return &hadamard{rank: u.rank, value: &nn.Hadamard{Scale: u.value.Scale}}
}

func (u *hadamard) adapter() any { return u.value }

func (u *hadamard) parts(m *module) []part {
	named := func(key string, rows, columns int, p **tensor.Param) part {
		return part{key: key, file: m.file() + key, shape: []int{rows, columns}, param: p}
	}
	return []part{
		named("hada_w1_a", m.out(), u.rank, &u.value.B1), named("hada_w1_b", u.rank, m.in(), &u.value.A1),
		named("hada_w2_a", m.out(), u.rank, &u.value.B2), named("hada_w2_b", u.rank, m.in(), &u.value.A2),
	}
}

// draw follows PEFT: Kaiming's uniform law with a = √5, and the last matrix 0.
func (u *hadamard) draw(m *module, c Config) error {
	r := rand.New(rand.NewPCG(c.Seed, salt(m.path)))
	uniform := func(p *tensor.Param) {
		bound := 1 / math.Sqrt(float64(p.Shape()[1]))
		fill(p, func() float64 { return bound * (2*r.Float64() - 1) })
	}
	uniform(u.value.B1)
	uniform(u.value.A1)
	uniform(u.value.B2)
	return nil
}

func (u *hadamard) zero(*module) bool {
	v := u.value
	return isZero(v.A1) || isZero(v.B1) || isZero(v.A2) || isZero(v.B2)
}

func (u *hadamard) merge(m *module, w []float64) error {
	b1, err1 := wide(u.value.B1)
	a1, err2 := wide(u.value.A1)
	b2, err3 := wide(u.value.B2)
	a2, err4 := wide(u.value.A2)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	first, second := make([]float64, len(w)), make([]float64, len(w))
	m.addProduct(first, u.rank, 1, b1, a1)
	m.addProduct(second, u.rank, 1, b2, a2)
	for i := range w {
		w[i] += u.value.Scale * first[i] * second[i]
	}
	return nil
}

func hadamardFields(c *Config) map[string]any {
	c.Rank, c.Alpha = 8, 8
	return map[string]any{"r": &c.Rank, "alpha": &c.Alpha, "rank_pattern": &c.RankPattern, "alpha_pattern": &c.AlphaPattern,
		"layers_to_transform": &oneOrMore[int]{&c.Layers}, "layers_pattern": &oneOrMore[string]{&c.LayersPattern}}
}

func writeHadamard(c Config, all everyone, _ bool) any {
	return struct {
		everyone
		ExcludeModules any               `json:"exclude_modules"`
		R              int               `json:"r"`
		Alpha          float64           `json:"alpha"`
		RankPattern    Patterns[int]     `json:"rank_pattern"`
		AlphaPattern   Patterns[float64] `json:"alpha_pattern"`
		Layers         []int             `json:"layers_to_transform"`
		LayersPattern  []string          `json:"layers_pattern"`
		InitWeights    bool              `json:"init_weights"`
	}{all, listOrPattern(c.Exclude, c.ExcludePattern), c.Rank, c.Alpha, c.RankPattern, c.AlphaPattern, c.Layers, c.LayersPattern, true}
}

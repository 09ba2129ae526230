package lora

import (
	"errors"
	"math/rand/v2"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/model/nn"
)

// cur is the update of CURLoRA: Fawi 2024, arXiv:2408.14572.
type cur struct {
	noBias
	rank  int
	value *nn.CUR
}

func newCUR(m *matcher, l *layer) update {
	rank, _ := m.size(l.path)
	return &cur{rank: min(rank, l.in(), l.out()), value: &nn.CUR{Dropout: m.Dropout, Salt: salt(l.path)}}
}

func (u *cur) clone() update {
	return &cur{rank: u.rank, value: &nn.CUR{Dropout: u.value.Dropout, Salt: u.value.Salt}}
}

func (u *cur) adapter() any { return u.value }

func (u *cur) parts(m *module) []part {
	file := m.file()
	return []part{
		{key: "curlora_C", file: file + "curlora_C", shape: []int{m.out(), u.rank}, frozen: true, param: &u.value.C},
		{key: "curlora_U", file: file + "curlora_U", shape: []int{u.rank, u.rank}, param: &u.value.U},
		{key: "curlora_R", file: file + "curlora_R", shape: []int{u.rank, m.in()}, frozen: true, param: &u.value.R},
	}
}

// draw takes columns and rows of W with probabilities that fall with their share of
// ‖W‖², and U = 0. Columns and rows are drawn without replacement, so that none
// comes twice; the author's code draws with replacement.
func (u *cur) draw(m *module, c Config) error {
	w, err := wide(*m.weight)
	if err != nil {
		return err
	}
	ins, outs := m.in(), m.out()
	columns, rows, total := make([]float64, ins), make([]float64, outs), 0.0
	for o := range outs {
		for i := range ins {
			x := w[m.place(o, i, ins, outs)]
			columns[i], rows[o], total = columns[i]+x*x, rows[o]+x*x, total+x*x
		}
	}
	r := rand.New(rand.NewPCG(c.Seed, salt(m.path)))
	chosenColumns, chosenRows := rare(r, columns, total, u.rank), rare(r, rows, total, u.rank)
	k := 0
	fill(u.value.C, func() float64 {
		o, i := k/u.rank, chosenColumns[k%u.rank]
		k++
		return w[m.place(o, i, ins, outs)]
	})
	k = 0
	fill(u.value.R, func() float64 {
		o, i := chosenRows[k/ins], k%ins
		k++
		return w[m.place(o, i, ins, outs)]
	})
	return nil
}

// rareOffset keeps inverted probabilities finite, as in the author's code.
const rareOffset = 0.001

// rare draws n of the indices of shares, which sum up to total, with probabilities
// proportional to 1/(share/total + 0.001).
func rare(r *rand.Rand, shares []float64, total float64, n int) []int {
	weights, sum := make([]float64, len(shares)), 0.0
	for i, s := range shares {
		if total > 0 {
			s /= total
		}
		weights[i] = 1 / (s + rareOffset)
		sum += weights[i]
	}
	var chosen []int
	for range n {
		x, last := r.Float64()*sum, -1
		for i, w := range weights {
			if w == 0 {
				continue
			}
			last = i
			if x -= w; x < 0 {
				break
			}
		}
		chosen = append(chosen, last)
		sum -= weights[last]
		weights[last] = 0
	}
	return chosen
}

func (u *cur) zero(*module) bool { return isZero(u.value.U) }

func (u *cur) merge(m *module, w []float64) error {
	b, a, err := u.factors()
	if err == nil {
		m.addProduct(w, u.rank, 1, b, a)
	}
	return err
}

// factors are C·U and R.
func (u *cur) factors() (b, a []float64, err error) {
	c, err1 := wide(u.value.C)
	v, err2 := wide(u.value.U)
	r, err3 := wide(u.value.R)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, nil, err
	}
	b = make([]float64, len(c))
	g := kernel.Gemm64{M: len(c) / u.rank, N: u.rank, K: u.rank, A: c, LDA: u.rank, B: v, LDB: u.rank, C: b, LDC: u.rank, Alpha: 1}
	g.Run()
	return b, r, nil
}

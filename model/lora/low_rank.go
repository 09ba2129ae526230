package lora

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// lowRank is the update of LoRA and DoRA.
type lowRank struct {
	rank          int
	biasOnB, dora bool
	start         *start // what PiSSA or OLoRA took out of the weight; nil for none
	low           *nn.LowRank
}

func newLowRank(m *matcher, l *layer) update {
	rank, scale := m.size(l.path)
	u := &lowRank{rank: rank, biasOnB: m.BiasOnB, dora: m.DoRA}
	u.low = &nn.LowRank{Scale: scale, Dropout: m.Dropout, Salt: salt(l.path)}
	return u
}

func (u *lowRank) clone() update {
	c := *u
	c.low = &nn.LowRank{Scale: u.low.Scale, Dropout: u.low.Dropout, Salt: u.low.Salt}
	return &c
}

func (u *lowRank) adapter() any { return u.low }

func (u *lowRank) parts(m *module) []part {
	keys, suffix, lookup := [2]string{"lora_A", "lora_B"}, ".weight", m.kind == embedding
	if lookup {
		keys, suffix = [2]string{"lora_embedding_A", "lora_embedding_B"}, ""
	}
	file := m.file()
	list := []part{
		{key: keys[0], file: file + keys[0] + suffix, shape: []int{u.rank, m.in()}, transposed: lookup, param: &u.low.A},
		{key: keys[1], file: file + keys[1] + suffix, shape: []int{m.out(), u.rank}, param: &u.low.B},
	}
	if u.start != nil {
		list[0].tail, list[1].tail = u.start.a, u.start.minusB
		list[1].beside = true
	}
	if u.biasOnB {
		list = append(list, part{key: "lora_B.bias", file: file + "lora_B.bias", shape: []int{m.out()}, param: &u.low.Bias})
	}
	if u.dora {
		list = append(list, part{key: "lora_magnitude_vector", file: file + "lora_magnitude_vector", shape: []int{m.out()}, param: &u.low.Magnitude})
	}
	return list
}

// draw follows PEFT: A from U(−1/√in, 1/√in), which is Kaiming's uniform law with a
// = √5, or from N(0, 1/r²), and B = 0; of an embedding A = 0 and B from N(0, 1).
// DoRA's magnitude is the length of each row of W.
func (u *lowRank) draw(m *module, c Config) error {
	r := rand.New(rand.NewPCG(c.Seed, salt(m.path)))
	switch {
	case m.kind == embedding:
		fill(u.low.B, r.NormFloat64)
	case c.Init.decomposes():
		return u.decompose(m, c)
	case c.Gaussian:
		fill(u.low.A, func() float64 { return r.NormFloat64() / float64(u.rank) })
	default:
		bound := 1 / math.Sqrt(float64(m.in()))
		fill(u.low.A, func() float64 { return bound * (2*r.Float64() - 1) })
	}
	if !u.dora {
		return nil
	}
	w, err := wide(*m.weight)
	if err != nil {
		return err
	}
	lengths := m.lengths(w)
	set(u.low.Magnitude, func(i int) float64 { return lengths[i] })
	return nil
}

func (u *lowRank) zero(m *module) bool {
	if !isZero(u.low.A) && !isZero(u.low.B) || u.biasOnB && !isZero(u.low.Bias) {
		return false
	}
	if !u.dora {
		return u.start == nil
	}
	w, err := wide(*m.weight)
	if err != nil {
		return false
	}
	p, err := tensor.NewParam("length", m.lengths(w), m.out())
	if err != nil {
		return false
	}
	p, err = p.Convert(u.low.Magnitude.Dtype())
	return err == nil && equalValues(p, u.low.Magnitude)
}

// merge makes w + scale·B·A, with DoRA's lengths.
func (u *lowRank) merge(m *module, w []float64) error {
	a, err1 := wide(u.low.A)
	b, err2 := wide(u.low.B)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	m.addProduct(w, u.rank, u.low.Scale, b, a)
	if !u.dora {
		return nil
	}
	lengths, err := wide(u.low.Magnitude)
	for i, n := range m.lengths(w) {
		lengths[i] /= n
	}
	m.multiply(w, func(out, _ int) float64 { return lengths[out] })
	return err
}

func (u *lowRank) changesBias() bool { return u.biasOnB }

func (u *lowRank) mergeBias(bias []float64) error {
	update, err := wide(u.low.Bias)
	for i, x := range update {
		bias[i] += u.low.Scale * x
	}
	return err
}

// addProduct adds scale·b·a to w, in the layout of the layer, for b (out, r) and a
// (r, in), of an embedding (in, r).
func (m *module) addProduct(w []float64, rank int, scale float64, b, a []float64) {
	g := kernel.Gemm64{K: rank, C: w, Alpha: scale, Accumulate: true}
	switch {
	case m.kind == embedding: // (in, out) += (in, r)·(out, r)ᵀ
		g.M, g.N, g.A, g.LDA, g.B, g.LDB, g.TransB = m.in(), m.out(), a, rank, b, rank, true
	case m.turned: // (in, out) += (r, in)ᵀ·(out, r)ᵀ
		g.M, g.N, g.A, g.LDA, g.TransA, g.B, g.LDB, g.TransB = m.in(), m.out(), a, m.in(), true, b, rank, true
	default: // (out, in) += (out, r)·(r, in)
		g.M, g.N, g.A, g.LDA, g.B, g.LDB = m.out(), m.in(), b, rank, a, m.in()
	}
	g.LDC = g.N
	g.Run()
}

// multiply multiplies each element of w, in the layout of the layer.
func (m *module) multiply(w []float64, factor func(out, in int) float64) {
	ins, outs := m.in(), m.out()
	for o := range outs {
		for i := range ins {
			w[m.place(o, i, ins, outs)] *= factor(o, i)
		}
	}
}

// lengths are the lengths of the rows of w (out, in), which has the layout of the
// layer, as tensor.RowNormLoRA computes them.
func (m *module) lengths(w []float64) []float64 {
	ins, outs := m.in(), m.out()
	list := make([]float64, outs)
	for o := range outs {
		for i := range ins {
			x := w[m.place(o, i, ins, outs)]
			list[o] += x * x
		}
		list[o] = math.Sqrt(list[o])
	}
	return list
}

// place is where an element of the weight is.
func (l *layer) place(out, in, ins, outs int) int {
	if l.kind == embedding || l.turned {
		return in*outs + out
	}
	return out*ins + in
}

package lora

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"gonum.org/v1/gonum/mat"
)

// Init says how the values of a fresh low-rank update are found.
type Init string

// The ways. PiSSA and OLoRA move a part of each weight into the update: the base is
// a residual while the adapter is attached.
const (
	// RandomInit draws A and sets B = 0. It is the default.
	RandomInit Init = ""
	// PiSSA takes the largest singular values: W = W_res + scale·B·A with B = U√S
	// and A = √S·Vᵀ (Meng et al. 2024, arXiv:2404.02948, eq. 2–4).
	PiSSA Init = "pissa"
	// OLoRA takes the first columns of Q and rows of R of W = Q·R (Büyükakyüz 2024,
	// arXiv:2406.01775).
	OLoRA Init = "olora"
)

// decomposes says whether the base changes.
func (i Init) decomposes() bool { return i != RandomInit }

// check is nil for one of the ways.
func (i Init) check() error {
	switch i {
	case RandomInit, PiSSA, OLoRA:
		return nil
	}
	return fmt.Errorf("%w: init is %.*q, want %q, %q or none", ErrConfig, maxShown, string(i), PiSSA, OLoRA)
}

// start is what a fresh update took out of the weight.
type start struct {
	a, minusB []float64 // A and −B as they were
	weight    []float64 // W as it was
}

// decompose fills A and B and leaves the residual in the base weight. Singular
// vectors have arbitrary signs, which cancel in B·A.
func (u *lowRank) decompose(m *module, c Config) error {
	w, err := wide(*m.weight)
	if err != nil {
		return err
	}
	ins, outs := m.in(), m.out()
	if u.rank > min(ins, outs) {
		return fmt.Errorf("%w: rank %d of %s, want at most %d for %s", ErrConfig, u.rank, m.path, min(ins, outs), c.Init)
	}
	full := mat.NewDense(outs, ins, nil)
	for o := range outs {
		for i := range ins {
			full.Set(o, i, w[m.place(o, i, ins, outs)])
		}
	}
	// In PiSSA each takes its share of the scale, so that scale·B·A is the part of W.
	// OLoRA does not, as in PEFT: Q and R stay as they are.
	find, share := c.singular, 1/math.Sqrt(u.low.Scale)
	if c.Init == OLoRA {
		find, share = orthogonal, 1
	}
	b, a, err := find(m.path, full, u.rank)
	if err != nil {
		return err
	}
	set(u.low.A, func(i int) float64 { return share * a.At(i/ins, i%ins) })
	set(u.low.B, func(i int) float64 { return share * b.At(i/u.rank, i%u.rank) })
	return u.takeOut(m, w)
}

// takeOut subtracts scale·B·A from the base weight w, as the parameters hold it.
func (u *lowRank) takeOut(m *module, w []float64) error {
	a, err := wide(u.low.A)
	if err != nil {
		return err
	}
	b, err := wide(u.low.B)
	if err != nil {
		return err
	}
	u.start = &start{a: a, minusB: make([]float64, len(b)), weight: append([]float64(nil), w...)}
	for i, x := range b {
		u.start.minusB[i] = -x
	}
	m.addProduct(w, u.rank, u.low.Scale, u.start.minusB, a)
	return (*m.weight).Set(w)
}

// singular are U√S and √S·Vᵀ of the largest singular values.
func (c Config) singular(path string, w *mat.Dense, rank int) (b, a mat.Matrix, err error) {
	if c.PowerIterations > 0 {
		w, left := sketch(w, rank, c.PowerIterations, rand.New(rand.NewPCG(c.Seed, salt(path))))
		b, a, err = exactly(path, w, rank)
		if err != nil {
			return nil, nil, err
		}
		var long mat.Dense
		long.Mul(left, b)
		return &long, a, nil
	}
	return exactly(path, w, rank)
}

// exactly is singular by a whole decomposition.
func exactly(path string, w *mat.Dense, rank int) (b, a mat.Matrix, err error) {
	var svd mat.SVD
	if !svd.Factorize(w, mat.SVDThin) {
		return nil, nil, fmt.Errorf("lora: the singular values of %s are not found, want finite weights", path)
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	s := svd.Values(nil)
	outs, _ := u.Dims()
	ins, _ := v.Dims()
	left, right := mat.NewDense(outs, rank, nil), mat.NewDense(rank, ins, nil)
	for k := range rank {
		root := math.Sqrt(s[k])
		for o := range outs {
			left.Set(o, k, root*u.At(o, k))
		}
		for i := range ins {
			right.Set(k, i, root*v.At(i, k))
		}
	}
	return left, right, nil
}

// oversampling is how many directions more than the rank a sketch has.
const oversampling = 8

// sketch is q, an orthonormal basis of about the largest directions of w, and qᵀ·w:
// Halko et al. 2011, arXiv:0909.4061, algorithm 4.4.
func sketch(w *mat.Dense, rank, iterations int, r *rand.Rand) (small *mat.Dense, q mat.Matrix) {
	outs, ins := w.Dims()
	n := min(rank+oversampling, outs, ins)
	random := mat.NewDense(ins, n, nil)
	random.Apply(func(int, int, float64) float64 { return r.NormFloat64() }, random)
	var y, z mat.Dense
	y.Mul(w, random)
	for range iterations {
		z.Mul(w.T(), basis(&y))
		y.Mul(w, basis(&z))
	}
	q = basis(&y)
	small = &mat.Dense{}
	small.Mul(q.T(), w)
	return small, q
}

// basis are orthonormal columns that span those of y.
func basis(y *mat.Dense) *mat.Dense {
	var qr mat.QR
	qr.Factorize(y)
	var q mat.Dense
	qr.QTo(&q)
	rows, columns := y.Dims()
	return mat.DenseCopyOf(q.Slice(0, rows, 0, columns))
}

// orthogonal are the first columns of Q and rows of R.
func orthogonal(path string, w *mat.Dense, rank int) (b, a mat.Matrix, err error) {
	outs, ins := w.Dims()
	k := min(outs, ins) // the first columns of a matrix wider than high have the same Q
	var qr mat.QR
	qr.Factorize(mat.DenseCopyOf(w.Slice(0, outs, 0, k)))
	var full mat.Dense
	qr.QTo(&full)
	q := mat.DenseCopyOf(full.Slice(0, outs, 0, rank))
	var r mat.Dense
	r.Mul(q.T(), w)
	return q, &r, nil
}

// set sets every element of p.
func set(p *tensor.Param, at func(i int) float64) {
	i := -1
	fill(p, func() float64 { i++; return at(i) })
}

// initialise gives the adapter its first values. When a layer fails the base is what
// it was.
func (a *Adapter) initialise() error {
	if a.config.Init.decomposes() {
		if err := alone(a.model); err != nil {
			return err
		}
		a.owner = true
	}
	for _, m := range a.modules {
		if err := m.initialise(a.config); err != nil {
			a.giveBack()
			return err
		}
	}
	return prepareRows(a.modules)
}

// alone is nil for a model without adapters: others would find another base than
// they were made for.
func alone(m model.Model) error {
	for _, l := range layers(m) {
		if l.adapters != nil && len(*l.adapters) > 0 || l.lookups != nil && len(*l.lookups) > 0 || len(*l.replaced) > 0 {
			return fmt.Errorf("%w: init takes a part of the weights away from the other adapters at %s, want a model without any", ErrConfig, l.path)
		}
	}
	return nil
}

// giveBack makes the base weights what they were before the adapter took a part of
// them.
func (a *Adapter) giveBack() {
	for _, m := range a.modules {
		if u, ok := m.update.(*lowRank); ok && u.start != nil && a.owner {
			_ = (*m.weight).Set(u.start.weight) // as many values as came out of it
		}
	}
	a.owner = false
}

// settle finishes a loaded adapter: rows are shared with a tied head, and for a file
// that says so the base gives away what a fresh adapter took of it, as in PEFT.
func (a *Adapter) settle() error {
	if !a.config.Init.decomposes() {
		return prepareRows(a.modules)
	}
	if err := alone(a.model); err != nil {
		return err
	}
	a.owner = true
	for _, m := range a.modules {
		u, ok := m.update.(*lowRank)
		if !ok {
			continue
		}
		left, err1 := wide(u.low.A)
		right, err2 := wide(u.low.B)
		if err := errors.Join(err1, err2, u.decompose(m, a.config)); err != nil {
			a.giveBack()
			return err
		}
		set(u.low.A, func(i int) float64 { return left[i] })
		set(u.low.B, func(i int) float64 { return right[i] })
	}
	return prepareRows(a.modules)
}

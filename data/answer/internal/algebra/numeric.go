package algebra

import (
	"hash/fnv"
	"math"
	"math/big"
	"math/cmplx"
)

// maxSteps bounds the nodes that one comparison evaluates.
const maxSteps = 400_000

// evaluator counts the work of one comparison.
type evaluator struct {
	steps int
	scale float64 // largest addend since it was last set to 0
}

func (e *evaluator) spend() bool {
	e.steps++
	return e.steps <= maxSteps
}

// point gives free variables their values: fixed numbers that depend on name
// and index only. At even points all are positive, at point 1 all are negative, at
// other odd ones some are.
type point struct {
	index int
	vars  map[string]complex128
}

func (p point) value(name string) complex128 {
	if v, ok := p.vars[name]; ok {
		return v
	}
	switch name {
	case "pi":
		return math.Pi
	case "e":
		return math.E
	case "i":
		return 1i
	}
	h := fnv.New64a()
	h.Write([]byte{byte(p.index)})
	h.Write([]byte(name))
	bits := h.Sum64() * 0x9e3779b97f4a7c15
	x := 0.4 + 2*float64(bits>>11)/(1<<53)
	if p.index == 1 || p.index%2 == 1 && bits&1 == uint64(p.index>>1)&1 {
		x = -x
	}
	return complex(x, 0)
}

func (p point) with(name string, v complex128) point {
	vars := map[string]complex128{name: v}
	for k, old := range p.vars {
		if k != name {
			vars[k] = old
		}
	}
	return point{p.index, vars}
}

// at is the value of n at a point, NaN where it has none.
func (e *evaluator) at(n *Node, p point) complex128 {
	if !e.spend() {
		return cmplx.NaN()
	}
	switch n.kind {
	case number:
		f, _ := n.num.Float64()
		return complex(f, 0)
	case symbol:
		return p.value(n.name)
	case infinity:
		return complex(math.Inf(1), 0)
	case sum, product:
		return e.folded(n, p)
	case quotient:
		return e.at(n.args[0], p) / e.at(n.args[1], p)
	case power:
		return raise(e.at(n.args[0], p), e.at(n.args[1], p))
	case negative:
		return -e.at(n.args[0], p)
	case percent:
		return e.at(n.args[0], p) / 100
	case degree:
		return e.at(n.args[0], p)
	case call:
		return e.called(n, p)
	case bigSum:
		return e.ranged(n, p)
	case integral:
		return e.area(n, p)
	case derivative:
		return e.slope(n, p)
	}
	return cmplx.NaN()
}

func (e *evaluator) folded(n *Node, p point) complex128 {
	total := e.at(n.args[0], p)
	if n.kind == sum {
		e.scale = max(e.scale, cmplx.Abs(total))
	}
	for _, a := range n.args[1:] {
		v := e.at(a, p)
		if n.kind == product {
			total *= v
			continue
		}
		e.scale = max(e.scale, cmplx.Abs(v))
		total += v
	}
	return total
}

// raise is x^y; whole powers are exact for negative x, real ones stay real.
func raise(x, y complex128) complex128 {
	if imag(x) == 0 && imag(y) == 0 {
		if r := math.Pow(real(x), real(y)); !math.IsNaN(r) {
			return complex(r, 0)
		}
	}
	return cmplx.Pow(x, y)
}

func (e *evaluator) ranged(n *Node, p point) complex128 {
	from, ok1 := new(big.Rat), false
	to, ok2 := new(big.Rat), false
	if f := e.at(n.args[1], p); imag(f) == 0 && from.SetFloat64(real(f)) != nil {
		ok1 = true
	}
	if f := e.at(n.args[2], p); imag(f) == 0 && to.SetFloat64(real(f)) != nil {
		ok2 = true
	}
	if !ok1 || !ok2 {
		return cmplx.NaN()
	}
	first, last, ok := rangeOf(from, to)
	if !ok {
		return cmplx.NaN()
	}
	total := complex(0, 0)
	if n.name == "prod" {
		total = 1
	}
	for k := first; k <= last; k++ {
		v := e.at(n.args[3], p.with(n.args[0].name, complex(float64(k), 0)))
		if n.name == "prod" {
			total *= v
		} else {
			total += v
		}
	}
	return total
}

// gauss are the nodes and weights of 5-point Gauss-Legendre quadrature on [-1, 1].
var gauss = [5][2]float64{
	{0, 128.0 / 225}, {0.538469310105683091, 0.478628670499366468}, {-0.538469310105683091, 0.478628670499366468},
	{0.906179845938663993, 0.236926885056189088}, {-0.906179845938663993, 0.236926885056189088},
}

// area integrates over 64 panels: about 1e-13 for smooth integrands.
func (e *evaluator) area(n *Node, p point) complex128 {
	const panels = 64
	a, b := e.at(n.args[1], p), e.at(n.args[2], p)
	h := (b - a) / panels
	total := complex(0, 0)
	for i := range panels {
		mid := a + h*complex(float64(i)+0.5, 0)
		for _, g := range gauss {
			total += complex(g[1]/2, 0) * h * e.at(n.args[3], p.with(n.args[0].name, mid+h*complex(g[0]/2, 0)))
		}
	}
	return total
}

// slope is the derivative by Cauchy's integral over a small circle.
func (e *evaluator) slope(n *Node, p point) complex128 {
	const around, radius = 32, 0.125
	x := p.value(n.args[0].name)
	total := complex(0, 0)
	for k := range around {
		turn := cmplx.Rect(1, 2*math.Pi*float64(k)/around)
		total += e.at(n.args[1], p.with(n.args[0].name, x+radius*turn)) / turn
	}
	return total / (around * radius)
}

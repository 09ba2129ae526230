package algebra

import (
	"math"
	"math/cmplx"
)

// plain are the functions of one complex argument.
var plain = map[string]func(complex128) complex128{
	"sin": cmplx.Sin, "cos": cmplx.Cos, "tan": cmplx.Tan, "cot": cmplx.Cot,
	"sec": func(x complex128) complex128 { return 1 / cmplx.Cos(x) }, "csc": func(x complex128) complex128 { return 1 / cmplx.Sin(x) },
	"arcsin": cmplx.Asin, "arccos": cmplx.Acos, "arctan": cmplx.Atan, "sinh": cmplx.Sinh, "cosh": cmplx.Cosh, "tanh": cmplx.Tanh,
	"ln": cmplx.Log, "exp": cmplx.Exp,
	"abs": func(x complex128) complex128 { return complex(cmplx.Abs(x), 0) },
}

// circular are the functions whose argument may be in degrees.
var circular = map[string]bool{"sin": true, "cos": true, "tan": true, "cot": true, "sec": true, "csc": true}

func (e *evaluator) called(n *Node, p point) complex128 {
	args := make([]complex128, len(n.args))
	for i, a := range n.args {
		args[i] = e.at(a, p)
	}
	x := args[0]
	if circular[n.name] && n.args[0].has(degree) {
		x *= math.Pi / 180
	}
	if f := plain[n.name]; f != nil {
		return f(x)
	}
	switch n.name {
	case "log":
		return cmplx.Log(x) / cmplx.Log(args[1])
	case "root":
		return rooted(x, args[1])
	case "floor", "ceil", "factorial", "binom", "max", "min":
		return realCall(n.name, args)
	}
	return cmplx.NaN()
}

// rooted is the principal root, but the real one for odd roots of real numbers.
func rooted(x, index complex128) complex128 {
	if imag(x) == 0 && real(x) < 0 && index == 3 {
		return complex(math.Cbrt(real(x)), 0)
	}
	if index == 2 {
		return cmplx.Sqrt(x)
	}
	return raise(x, 1/index)
}

// realCall are functions of real numbers.
func realCall(name string, args []complex128) complex128 {
	for _, a := range args {
		if imag(a) != 0 {
			return cmplx.NaN()
		}
	}
	x := real(args[0])
	switch name {
	case "floor":
		return complex(math.Floor(x), 0)
	case "ceil":
		return complex(math.Ceil(x), 0)
	case "factorial":
		return complex(math.Gamma(x+1), 0)
	case "binom":
		y := real(args[1])
		return complex(math.Gamma(x+1)/math.Gamma(y+1)/math.Gamma(x-y+1), 0)
	}
	for _, a := range args[1:] {
		if (real(a) > x) == (name == "max") {
			x = real(a)
		}
	}
	return complex(x, 0)
}

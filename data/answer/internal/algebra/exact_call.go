package algebra

import "math/big"

// exactCall is a function's value where it is rational.
func (e *evaluator) exactCall(n *Node, vars bound) (*big.Rat, bool) {
	args := make([]*big.Rat, len(n.args))
	for i, a := range n.args {
		v, ok := e.exact(a, vars)
		if !ok {
			return nil, false
		}
		args[i] = v
	}
	x := args[0]
	switch n.name {
	case "abs":
		return new(big.Rat).Abs(x), true
	case "floor", "ceil":
		return whole(x, n.name == "ceil"), true
	case "factorial":
		if !x.IsInt() || x.Sign() < 0 || x.Cmp(big.NewRat(maxFactorial, 1)) > 0 {
			return nil, false
		}
		return new(big.Rat).SetInt(new(big.Int).MulRange(1, x.Num().Int64())), true
	case "root":
		if len(args) != 2 || !args[1].IsInt() || args[1].Sign() <= 0 || !args[1].Num().IsInt64() || args[1].Num().Int64() > 64 {
			return nil, false
		}
		if x.Sign() < 0 && args[1].Num().Bit(0) == 1 { // an odd root: the real one
			r, ok := rationalRoot(new(big.Rat).Neg(x), args[1].Num().Int64())
			if !ok {
				return nil, false
			}
			return r.Neg(r), true
		}
		return rationalRoot(x, args[1].Num().Int64())
	case "binom":
		return choose(args)
	case "gcd", "lcm", "max", "min":
		return fold(n.name, args)
	}
	return nil, false
}

func whole(x *big.Rat, up bool) *big.Rat {
	q := new(big.Int).Div(x.Num(), x.Denom()) // Euclidean: floor, for denominators are positive
	if up && !x.IsInt() {
		q.Add(q, big.NewInt(1))
	}
	return new(big.Rat).SetInt(q)
}

func choose(args []*big.Rat) (*big.Rat, bool) {
	limit := big.NewRat(2*maxFactorial, 1)
	if len(args) != 2 {
		return nil, false
	}
	for _, a := range args {
		if !a.IsInt() || a.Sign() < 0 || a.Cmp(limit) > 0 {
			return nil, false
		}
	}
	return new(big.Rat).SetInt(new(big.Int).Binomial(args[0].Num().Int64(), args[1].Num().Int64())), true
}

// fold reduces numbers by gcd, lcm, max or min.
func fold(name string, args []*big.Rat) (*big.Rat, bool) {
	total := args[0]
	for _, a := range args[1:] {
		switch name {
		case "max":
			if a.Cmp(total) > 0 {
				total = a
			}
			continue
		case "min":
			if a.Cmp(total) < 0 {
				total = a
			}
			continue
		}
		if !a.IsInt() || !total.IsInt() {
			return nil, false
		}
		x, y := new(big.Int).Abs(total.Num()), new(big.Int).Abs(a.Num())
		g := new(big.Int).GCD(nil, nil, x, y)
		if name == "lcm" && g.Sign() != 0 {
			g.Div(x.Mul(x, y), g)
		}
		total = new(big.Rat).SetInt(g)
		if bits(total) > maxBits {
			return nil, false
		}
	}
	return total, true
}

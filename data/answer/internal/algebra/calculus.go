package algebra

import "strings"

// ranged reads \sum_{k=1}^{3} body and \prod.
func (s *scanner) ranged(name string) (*Node, error) {
	if !s.take("_") {
		return nil, s.fail("a sum without its range")
	}
	start, err := s.bracket("{", "}")
	if err != nil {
		return nil, err
	}
	if start.kind != relation || start.name != "=" || start.args[0].kind != symbol || !s.take("^") {
		return nil, s.fail("a sum without its range")
	}
	end, err := s.argument(false)
	if err != nil {
		return nil, err
	}
	body, err := s.multiplied()
	if err != nil {
		return nil, err
	}
	return named(bigSum, name, start.args[0], start.args[1], end, body), nil
}

// integrated reads \int_a^b body dx.
func (s *scanner) integrated() (*Node, error) {
	var ends [2]*Node
	for i, mark := range []string{"_", "^"} {
		if !s.take(mark) {
			return nil, s.fail("an integral without limits")
		}
		n, err := s.argument(mark == "^" && strings.HasPrefix(s.rest(), "-"))
		if err != nil {
			return nil, err
		}
		ends[i] = n
	}
	s.dx++
	body, err := s.added()
	s.dx--
	if err != nil {
		return nil, err
	}
	s.skip()
	r := s.rest()
	if len(r) < 2 || r[0] != 'd' || !isLetter(r[1]) {
		return nil, s.fail("an integral without its variable")
	}
	s.at += 2
	return node(integral, named(symbol, r[1:2]), ends[0], ends[1], body), nil
}

// array reads a matrix; between bars it is its determinant.
func (s *scanner) array() (*Node, error) {
	env, ok := s.raw()
	if !ok || !strings.HasSuffix(env, "matrix") && env != "array" {
		return nil, s.fail("an unknown environment")
	}
	if env == "array" {
		s.raw()
	}
	m := node(matrix)
	row := node(list)
	for {
		n, err := s.added()
		if err != nil {
			return nil, err
		}
		row.args = append(row.args, n)
		switch {
		case s.take("&"):
			continue
		case s.take(`\\`):
			m.args, row = append(m.args, row), node(list)
			if !s.take(`\end{` + env + `}`) {
				continue
			}
		case s.take(`\end{` + env + `}`):
			m.args = append(m.args, row)
		default:
			return nil, s.fail("a matrix is open")
		}
		break
	}
	if env == "vmatrix" {
		return s.determinant(m.args)
	}
	return m, nil
}

// determinant expands along the first row, for at most 4 rows.
func (s *scanner) determinant(rows []*Node) (*Node, error) {
	if len(rows) > 4 {
		return nil, s.fail("a determinant of more than 4 rows")
	}
	for _, r := range rows {
		if len(r.args) != len(rows) {
			return nil, s.fail("a determinant that is not square")
		}
	}
	return expand(rows), nil
}

func expand(rows []*Node) *Node {
	if len(rows) == 1 {
		return rows[0].args[0]
	}
	total := node(sum)
	for j, x := range rows[0].args {
		var minor []*Node
		for _, r := range rows[1:] {
			rest := append(append([]*Node{}, r.args[:j]...), r.args[j+1:]...)
			minor = append(minor, node(list, rest...))
		}
		term := node(product, x, expand(minor))
		if j%2 == 1 {
			term = node(negative, term)
		}
		total.args = append(total.args, term)
	}
	return total
}

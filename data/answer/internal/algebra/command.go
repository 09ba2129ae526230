package algebra

import (
	"regexp"
	"strings"
)

var differential = regexp.MustCompile(`^\\[dtc]?frac\s*\{\s*d\s*\}\s*\{\s*d\s*([a-zA-Z])\s*\}`)

// applied reads a LaTeX command with its arguments.
func (s *scanner) applied() (*Node, error) {
	if m := differential.FindStringSubmatch(s.rest()); m != nil {
		s.at += len(m[0])
		body, err := s.multiplied()
		if err != nil {
			return nil, err
		}
		return node(derivative, named(symbol, m[1]), body), nil
	}
	name := s.command()
	s.at += 1 + len(name)
	switch name {
	case "frac", "dfrac", "tfrac", "cfrac":
		return s.two(quotient, "")
	case "binom", "dbinom", "tbinom":
		return s.two(call, "binom")
	case "sqrt":
		return s.root()
	case "text":
		return s.wording()
	case "pi", "infty":
		return constant(name), nil
	case "emptyset", "varnothing":
		return node(set), nil
	case "mathbb":
		if sub, _ := s.raw(); strings.TrimSpace(sub) != "R" {
			return named(symbol, "set "+sub), nil
		}
		return named(tuple, "()", node(negative, node(infinity)), node(infinity)), nil
	case "lfloor":
		return s.fenced("floor", `\rfloor`)
	case "lceil":
		return s.fenced("ceil", `\rceil`)
	case "lvert", "vert":
		return s.fenced("abs", `\`+strings.Replace(name, "lv", "rv", 1))
	case "sum", "prod":
		return s.ranged(name)
	case "int":
		return s.integrated()
	case "begin":
		return s.array()
	}
	return s.named(name)
}

// named reads a command that is a font, a function or a letter.
func (s *scanner) named(name string) (*Node, error) {
	switch {
	case fonts[name]:
		s.skip()
		if !strings.HasPrefix(s.rest(), "{") {
			return s.raised()
		}
		return s.bracket("{", "}")
	case functions[name]:
		return s.function(name)
	case name == "":
		return nil, s.fail("an unknown sign")
	}
	n := named(symbol, `\`+name)
	if sub, ok := s.subscript(); ok {
		n.name += "_" + sub
	}
	return n, nil
}

// two reads a command with two arguments.
func (s *scanner) two(k kind, name string) (*Node, error) {
	a, err := s.argument(false)
	if err != nil {
		return nil, err
	}
	b, err := s.argument(false)
	if err != nil {
		return nil, err
	}
	return named(k, name, a, b), nil
}

// root reads \sqrt[n]{x}.
func (s *scanner) root() (*Node, error) {
	index := integer(2)
	if s.take("[") {
		n, err := s.added()
		if err != nil {
			return nil, err
		}
		if !s.take("]") {
			return nil, s.fail("want ]")
		}
		index = n
	}
	n, err := s.argument(false)
	if err != nil {
		return nil, err
	}
	return named(call, "root", n, index), nil
}

// wording reads \text{…}: a formula if it holds digits or one letter, else words.
func (s *scanner) wording() (*Node, error) {
	text, ok := s.raw()
	if !ok {
		return nil, s.fail("text is not closed")
	}
	inner := strings.Trim(text, " .~")
	if inner == "" {
		return named(word, ""), nil
	}
	if strings.ContainsAny(inner, "0123456789") && s.depth < maxDepth/2 {
		sub := &scanner{text: inner, depth: s.depth, nodes: s.nodes}
		if n, err := sub.listing(); err == nil && sub.at == len(sub.text) {
			s.nodes = sub.nodes
			return n, nil
		}
	}
	return named(word, inner), nil
}

// function reads the argument of a function, its base or power first.
func (s *scanner) function(name string) (*Node, error) {
	var base, exponent *Node
	var err error
	if s.take("_") {
		if base, err = s.argument(false); err != nil {
			return nil, err
		}
	}
	if s.take("^") {
		if exponent, err = s.argument(true); err != nil {
			return nil, err
		}
	}
	x, err := s.operand()
	if err != nil {
		return nil, err
	}
	n := named(call, name, x)
	switch {
	case name == "sqrt":
		n = named(call, "root", x, integer(2))
	case name == "lg" || name == "log" && base == nil:
		n = named(call, "log", x, integer(10))
	case name == "log":
		n = named(call, "log", x, base)
	case x.kind == tuple:
		n = named(call, name, x.args...)
	}
	if exponent != nil {
		n = node(power, n, exponent)
	}
	return n, nil
}

// operand reads a bracket, or factors up to a sign or another function.
func (s *scanner) operand() (*Node, error) {
	s.skip()
	if r := s.rest(); r != "" && (r[0] == '(' || r[0] == '{' || r[0] == '[') {
		return s.raised()
	}
	n, err := s.raised()
	if err != nil {
		return nil, err
	}
	for s.starts() && !functions[s.command()] && s.command() != "text" && !strings.HasPrefix(s.rest(), "(") {
		if n, err = s.implicit(n); err != nil {
			return nil, err
		}
	}
	return n, nil
}

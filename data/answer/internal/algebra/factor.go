package algebra

import (
	"math/big"
	"strings"
)

// multiplied reads a product: explicit, implicit and quotients, left to right,
// then words that follow, which are a unit.
func (s *scanner) multiplied() (*Node, error) {
	n, err := s.raised()
	if err != nil {
		return nil, err
	}
	for {
		switch {
		case s.take(`\cdot`, `\times`, `\ast`, "**", "*"):
			n, err = s.step(product, n)
		case s.take("/", `\div`):
			n, err = s.step(quotient, n)
		case s.modulus():
			word, ok := s.raw()
			if !ok {
				word, s.at = s.rest(), len(s.text)
			}
			n = named(quantity, "mod "+strings.TrimSpace(word), n)
		case s.starts():
			n, err = s.implicit(n)
		default:
			return n, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (s *scanner) modulus() bool { return s.take(`\pmod`, `\bmod`, `\mod`) }

// step reads the second operand of an explicit product or quotient.
func (s *scanner) step(k kind, n *Node) (*Node, error) {
	sign := s.take("-")
	m, err := s.raised()
	if err != nil {
		return nil, err
	}
	if sign {
		m = node(negative, m)
	}
	return node(k, n, m), nil
}

// implicit reads a factor without a sign between: 2x, 1½, 5 cm.
func (s *scanner) implicit(n *Node) (*Node, error) {
	mixed := n.kind == number && n.num.IsInt() && (s.command() == "frac" || s.command() == "dfrac" || s.command() == "tfrac")
	m, err := s.raised()
	switch {
	case err != nil:
		return nil, err
	case m.kind == word && n.kind == word:
		return named(word, n.name+" "+m.name), nil
	case m.kind == word && m.name == "":
		return n, nil
	case m.kind == word && n.kind == quantity:
		return named(quantity, strings.TrimSpace(n.name+" "+m.name), n.args...), nil
	case m.kind == word:
		return named(quantity, m.name, n), nil
	case n.kind == word && introduces(n.name):
		return m, nil
	case n.kind == word:
		return nil, s.fail("a formula after words")
	case n.kind == quantity:
		return named(quantity, n.name+" …", n.args...), nil
	case n.kind == number && m.kind == number:
		return nil, s.fail("two numbers side by side")
	case mixed && m.kind == quotient && m.args[0].kind == number && m.args[1].kind == number && m.args[0].num.Cmp(m.args[1].num) < 0:
		return node(sum, n, m), nil
	}
	return node(product, n, m), nil
}

// introduces says whether words announce an answer.
func introduces(words string) bool {
	w := strings.ToLower(words)
	return w == "" || strings.Contains(w, "answer") || strings.HasSuffix(w, " is") || w == "is"
}

// starts says whether a factor stands here.
func (s *scanner) starts() bool {
	s.skip()
	r := s.rest()
	if r == "" {
		return false
	}
	if s.dx > 0 && len(r) > 1 && r[0] == 'd' && isLetter(r[1]) {
		return false
	}
	if c := r[0]; isDigit(c) || isLetter(c) || c == '(' || c == '{' || c == '[' {
		return !s.connector()
	}
	name := s.command()
	if name == "" {
		return strings.HasPrefix(r, `\{`)
	}
	if name == "text" {
		return !s.connector()
	}
	switch name {
	case "cup", "in", "le", "leq", "leqslant", "ge", "geq", "geqslant", "ne", "neq", "lt", "gt", "equiv", "pm", "mp", "rfloor", "rceil", "rvert", "end", "lor", "land", "mid", "vert":
		return false
	}
	return true
}

// connector says whether a word that parts a list stands here.
func (s *scanner) connector() bool {
	at := s.at
	defer func() { s.at = at }()
	return s.take("and", "or", `\text{and}`, `\text{or}`, `\text{ and }`, `\text{ or }`, `\text{, and }`, `\text{, }`, `\text{ or}`, `\text{ and}`)
}

// raised reads an atom with its powers and postfix signs.
func (s *scanner) raised() (*Node, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	n, err := s.atom()
	if err != nil {
		return nil, err
	}
	for {
		switch {
		case s.take(`^\circ`, `^{\circ}`, `\degree`, `^{ \circ }`):
			n = node(degree, n)
		case s.take("^"):
			start := s.at
			e, err := s.argument(true)
			if err != nil {
				return nil, err
			}
			if n.kind == word { // cm^2
				n = named(word, n.name+"^"+strings.Trim(s.text[start:s.at], " {}"))
			} else {
				n = node(power, n, e)
			}
		case !strings.HasPrefix(s.rest(), "!=") && s.take("!"):
			n = named(call, "factorial", n)
		case s.take(`\%`, "%"):
			n = node(percent, n)
		default:
			return n, nil
		}
	}
}

// argument reads what a command or ^ applies to: a group, a command or one
// character; long takes a whole number or signed factor instead of one digit.
func (s *scanner) argument(long bool) (*Node, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	s.skip()
	r := s.rest()
	switch {
	case r == "":
		return nil, s.fail("an argument is missing")
	case long && s.take("-"):
		n, err := s.argument(true)
		if err != nil {
			return nil, err
		}
		return node(negative, n), nil
	case isDigit(r[0]) && !long:
		s.at++
		return &Node{kind: number, num: new(big.Rat).SetInt64(int64(r[0] - '0'))}, nil
	case isLetter(r[0]) && !long:
		s.at++
		return named(symbol, r[:1]), nil
	}
	return s.atom()
}

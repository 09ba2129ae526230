package algebra

import "strings"

// Parse reads a formula; its error wraps ErrUnreadable.
func Parse(text string) (*Node, error) {
	text = strings.TrimSpace(replacer.Replace(text))
	s := &scanner{text: text}
	if len(text) > maxText || text == "" {
		return nil, s.fail("empty or too long")
	}
	n, err := s.listing()
	if err != nil {
		return nil, err
	}
	s.skip()
	for s.take(".", `\\`) {
		s.skip()
	}
	if s.at < len(s.text) {
		return nil, s.fail("text after the formula")
	}
	return n, nil
}

// replacer spells characters beyond ASCII as LaTeX does.
var replacer = strings.NewReplacer(
	"−", "-", "–", "-", "×", `\times `, "·", `\cdot `, "÷", `\div `, "π", `\pi `, "∞", `\infty `, "°", `^\circ `, "√", `\sqrt`, "≤", `\le `, "≥", `\ge `,
	"≠", `\ne `, "±", `\pm `, "∪", `\cup `, "∅", `\emptyset `, "²", "^2", "³", "^3", "½", `\frac12 `, "\u00a0", " ", "€", "", "£", "", "**", "",
	`{\rm `, `\text{`, `\mathrm`, `\text`, `\textbf`, `\text`, `\textit`, `\text`, `\operatorname`, `\text`, `\mbox`, `\text`,
)

// listing reads what commas, "and" and "or" part.
func (s *scanner) listing() (*Node, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	first, err := s.related()
	if err != nil {
		return nil, err
	}
	args := []*Node{first}
	for {
		more := false
		for s.take(",", ";", "and", "or", `\text{and}`, `\text{or}`, `\text{ and }`, `\text{ or }`, `\text{, and }`, `\text{, }`, `\text{ or}`, `\text{ and}`, `\lor`, `\land`) {
			more = true
		}
		if !more {
			break
		}
		next, err := s.related()
		if err != nil {
			return nil, err
		}
		args = append(args, next)
	}
	if len(args) == 1 {
		return first, nil
	}
	return node(list, args...), nil
}

// comparisons and their one-byte names; longer marks first.
var comparisons = []struct {
	name  byte
	marks []string
}{
	{'l', []string{`\leqslant`, `\leq`, `\le`, "<="}},
	{'g', []string{`\geqslant`, `\geq`, `\ge`, ">="}},
	{'n', []string{`\neq`, `\ne`, "!="}},
	{'i', []string{`\in`}},
	{'<', []string{"<", `\lt`}},
	{'>', []string{">", `\gt`}},
	{'=', []string{"==", "=", `\equiv`}},
}

// related reads a chain of comparisons.
func (s *scanner) related() (*Node, error) {
	first, err := s.united()
	if err != nil {
		return nil, err
	}
	args, ops := []*Node{first}, []byte{}
	for {
		op := byte(0)
		for _, c := range comparisons {
			if s.take(c.marks...) {
				op = c.name
				break
			}
		}
		if op == 0 {
			break
		}
		next, err := s.united()
		if err != nil {
			return nil, err
		}
		ops, args = append(ops, op), append(args, next)
	}
	if len(args) == 1 {
		return first, nil
	}
	if strings.Trim(string(ops), "i") == "" {
		return args[len(args)-1], nil // x in A is A
	}
	return named(relation, string(ops), args...), nil
}

// united reads unions and ratios.
func (s *scanner) united() (*Node, error) {
	first, err := s.added()
	if err != nil {
		return nil, err
	}
	args, k := []*Node{first}, list
	for {
		switch {
		case k != ratio && s.take(`\cup`):
			k = union
		case k != union && s.take(":"):
			k = ratio
		default:
			if len(args) == 1 {
				return first, nil
			}
			return node(k, args...), nil
		}
		next, err := s.added()
		if err != nil {
			return nil, err
		}
		args = append(args, next)
	}
}

// added reads a sum.
func (s *scanner) added() (*Node, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	var args []*Node
	for {
		wrap := kind(-1)
		signs := 0
		for {
			switch {
			case s.take("-"):
				if wrap == negative {
					wrap = kind(-1)
				} else {
					wrap = negative
				}
			case s.take(`\pm`, "+-", "+/-"), s.take(`\mp`):
				wrap = plusMinus
			case s.take("+"):
			default:
				goto term
			}
			if signs++; signs > 4 {
				return nil, s.fail("too many signs")
			}
		}
	term:
		if len(args) > 0 && signs == 0 {
			break
		}
		n, err := s.multiplied()
		if err != nil {
			return nil, err
		}
		if wrap >= 0 {
			n = outside(wrap, n)
		}
		args = append(args, n)
	}
	if len(args) == 1 {
		return args[0], nil
	}
	return lift(node(sum, args...)), nil
}

// outside puts a sign inside a unit or percent sign: -(5 cm) is (-5) cm.
func outside(k kind, n *Node) *Node {
	if n.kind == quantity || n.kind == percent {
		return named(n.kind, n.name, node(k, n.args[0]))
	}
	return node(k, n)
}

// lift moves the unit of the last term of a sum to the whole.
func lift(n *Node) *Node {
	last := n.args[len(n.args)-1]
	if last.kind != quantity {
		return n
	}
	n.args[len(n.args)-1] = last.args[0]
	return named(quantity, last.name, n)
}

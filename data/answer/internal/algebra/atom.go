package algebra

import (
	"strings"
)

// functions are the names of functions of one argument.
var functions = map[string]bool{
	"sin": true, "cos": true, "tan": true, "cot": true, "sec": true, "csc": true, "arcsin": true, "arccos": true, "arctan": true,
	"sinh": true, "cosh": true, "tanh": true, "ln": true, "log": true, "exp": true, "gcd": true, "lcm": true, "max": true, "min": true, "sqrt": true, "abs": true,
	"lg": true, "det": false,
}

// atom reads the smallest part: a number, name, bracket or command.
func (s *scanner) atom() (*Node, error) {
	s.skip()
	r := s.rest()
	switch {
	case r == "":
		return nil, s.fail("the formula ends early")
	case isDigit(r[0]) || r[0] == '.' && len(r) > 1 && isDigit(r[1]):
		n, ok := s.numeral()
		if !ok {
			return nil, s.fail("a number that is none")
		}
		return s.based(n), nil
	case isLetter(r[0]):
		return s.name()
	case r[0] == '{':
		return s.bracket("{", "}")
	case r[0] == '(', r[0] == '[':
		return s.pair()
	case r[0] == '|':
		s.at++
		return s.fenced("abs", "|")
	case strings.HasPrefix(r, `\{`):
		return s.braces()
	case r[0] == '\\':
		return s.applied()
	}
	return nil, s.fail("a character out of place")
}

// based reads the base after a number, 1010_2: such a number is not its value,
// for the base was asked for.
func (s *scanner) based(n *Node) *Node {
	if sub, ok := s.subscript(); ok {
		return named(symbol, n.num.RatString()+"_"+sub)
	}
	return n
}

// subscript reads _1, _{12} and _\text{max}.
func (s *scanner) subscript() (string, bool) {
	if !s.take("_") {
		return "", false
	}
	if sub, ok := s.raw(); ok {
		return strings.Join(strings.Fields(sub), ""), true
	}
	r := s.rest()
	if r == "" {
		return "", true
	}
	s.at++
	return r[:1], true
}

// name reads letters: a function, a constant, words, or one variable.
func (s *scanner) name() (*Node, error) {
	r := s.rest()
	n := 0
	for n < len(r) && isLetter(r[n]) {
		n++
	}
	switch run := r[:n]; {
	case functions[run]:
		s.at += n
		return s.function(run)
	case run == "pi" || run == "infty" || run == "infinity" || run == "oo":
		s.at += n
		return constant(run), nil
	case n >= 4 || units[strings.ToLower(run)] != "" && n > 1:
		return s.words(), nil
	}
	s.at++
	if sub, ok := s.subscript(); ok {
		return named(symbol, r[:1]+"_"+sub), nil
	}
	return named(symbol, r[:1]), nil
}

// words reads letters and spaces up to anything else.
func (s *scanner) words() *Node {
	start := s.at
	for s.at < len(s.text) && (isLetter(s.text[s.at]) || strings.IndexByte(" -'", s.text[s.at]) >= 0) {
		s.at++
	}
	return named(word, strings.TrimSpace(s.text[start:s.at]))
}

func constant(name string) *Node {
	if name == "pi" {
		return named(symbol, "pi")
	}
	return node(infinity)
}

// bracket reads open … close as a group without meaning of its own.
func (s *scanner) bracket(open, end string) (*Node, error) {
	if !s.take(open) {
		return nil, s.fail("want " + open)
	}
	n, err := s.listing()
	if err != nil {
		return nil, err
	}
	if !s.take(end) {
		return nil, s.fail("want " + end)
	}
	return n, nil
}

// pair reads (…) and […]: a group around one formula, else a tuple or interval.
func (s *scanner) pair() (*Node, error) {
	open := s.text[s.at : s.at+1]
	s.at++
	s.within++
	n, err := s.listing()
	s.within--
	if err != nil {
		return nil, err
	}
	s.skip()
	if r := s.rest(); r == "" || r[0] != ')' && r[0] != ']' {
		return nil, s.fail("a bracket is open")
	}
	end := s.text[s.at : s.at+1]
	s.at++
	if n.kind == list {
		return named(tuple, open+end, n.args...), nil
	}
	return n, nil
}

// braces reads \{ … \}.
func (s *scanner) braces() (*Node, error) {
	s.at += 2
	if s.take(`\}`) {
		return node(set), nil
	}
	s.within++
	n, err := s.listing()
	s.within--
	if err != nil {
		return nil, err
	}
	if !s.take(`\}`) {
		return nil, s.fail(`want \}`)
	}
	if n.kind == list {
		return node(set, n.args...), nil
	}
	return node(set, n), nil
}

// fenced reads up to end and applies a function: |x|, ⌊x⌋, ⌈x⌉.
func (s *scanner) fenced(function, end string) (*Node, error) {
	n, err := s.added()
	if err != nil {
		return nil, err
	}
	if !s.take(end) {
		return nil, s.fail("want " + end)
	}
	return named(call, function, n), nil
}

package jinja

// forStmt is {% for %}.
type forStmt struct {
	target target
	iter   expr
	test   expr // filter, or nil
	// Variables of the body, the test and the else part.
	vars, testVars, elseVars *frame

	recursive bool
	usesLoop  bool
	loopID    int
	body      []stmt
	orElse    []stmt
	line      int
}

// loop is the special variable of a for loop.
type loop struct {
	s     *forStmt
	scope *scope // around the loop
	src   Value  // what it runs over; nil if filtered
	next  next
	// length is known for sequences; others are read to their end for it.
	length  int
	known   bool
	index0  int
	depth0  int
	current Value
	before  Value
	peeked  bool // after holds the next item, nil at the end
	after   Value
	changed []Value
	called  bool // changed() was called
}

func (*loop) typeName() string { return "LoopContext" }

func (s *forStmt) run(x *exec) signal {
	x.nest()
	defer x.unnest()
	x.line = s.line
	return s.over(x, s.iter.eval(x), 0)
}

// over runs the loop over the items of v.
func (s *forStmt) over(x *exec, v Value, depth int) signal {
	x.line = s.line
	outer := x.scope
	l := &loop{s: s, scope: outer, src: v, next: x.iterate(v), index0: -1, depth0: depth}
	if s.test != nil {
		l.src, l.next = nil, s.filtered(x, l.next)
	}
	completed := false // break and continue skip the note that an item was there
	for {
		item, ok := l.advance()
		if !ok {
			break
		}
		x.push(outer, s.vars)
		if s.usesLoop {
			x.set(s.loopID, l)
		}
		s.target.assign(x, item)
		sig := x.run(s.body)
		x.scope = outer
		if sig == breakLoop {
			break
		}
		completed = completed || sig == goOn
	}
	if !completed && len(s.orElse) > 0 {
		return x.inner(outer, s.elseVars, s.orElse)
	}
	return goOn
}

// filtered yields the items that pass the loop's test. The test sees the target,
// not the loop.
func (s *forStmt) filtered(x *exec, from next) next {
	outer := x.scope
	return func() (Value, bool) {
		for {
			item, ok := from()
			if !ok {
				return nil, false
			}
			old := x.push(outer, s.testVars)
			s.target.assign(x, item)
			pass := x.truth(s.test.eval(x))
			item = s.repack(x, s.target, item)
			x.scope = old
			if pass {
				return item, true
			}
		}
	}
}

// repack makes the item that a filtered loop passes on: Jinja's generator yields
// its targets again, so unpacked lists come out as tuples.
func (s *forStmt) repack(x *exec, t target, item Value) Value {
	switch t := t.(type) {
	case tupleTarget:
		items := make([]Value, len(t))
		for i, part := range t {
			items[i] = s.repack(x, part, nil)
		}
		return &tuple{items: items}
	case nameTarget:
		return x.lookup(t.id)
	}
	return item
}

// advance moves to the next item.
func (l *loop) advance() (Value, bool) {
	item := l.peek()
	if item == nil {
		return nil, false
	}
	l.peeked = false
	l.index0++
	l.before, l.current = l.current, item
	return item, true
}

// peek returns the item after the current one without moving, or nil.
func (l *loop) peek() Value {
	if !l.peeked {
		l.peeked = true
		if item, ok := l.next(); ok {
			l.after = item
		} else {
			l.after = nil
		}
	}
	return l.after
}

// len is loop.length.
func (l *loop) len(x *exec) int {
	if l.known {
		return l.length
	}
	l.known = true
	if l.src != nil {
		if n, ok := x.size(l.src); ok {
			l.length = n
			return n
		}
	}
	waiting := 0
	if l.peek() != nil {
		waiting = 1
	}
	rest := x.drain(l.next)
	l.next = x.overItems(rest)
	l.length = l.index0 + 1 + waiting + len(rest)
	return l.length
}

// attribute returns loop.name, or nil.
func (l *loop) attribute(x *exec, name string) Value {
	switch name {
	case "index":
		return integer(l.index0 + 1)
	case "index0":
		return integer(l.index0)
	case "first":
		return boolean(l.index0 == 0)
	case "last":
		return boolean(l.peek() == nil)
	case "length":
		return integer(l.len(x))
	case "revindex":
		return integer(l.len(x) - l.index0)
	case "revindex0":
		return integer(l.len(x) - l.index0 - 1)
	case "depth":
		return integer(l.depth0 + 1)
	case "depth0":
		return integer(l.depth0)
	case "previtem":
		if l.index0 == 0 {
			return missing("there is no previous item")
		}
		return l.before
	case "nextitem":
		if v := l.peek(); v != nil {
			return v
		}
		return missing("there is no next item")
	case "cycle":
		return &method{l, loopCycle}
	case "changed":
		return &method{l, loopChanged}
	}
	return nil
}

var loopCycle = &builtin{name: "cycle", variadic: func(x *exec, self Value, a arguments) Value {
	a.refuseNames(x, "cycle")
	if len(a.pos) == 0 {
		x.fail("TypeError: no items for cycling given")
	}
	return a.pos[self.(*loop).index0%len(a.pos)]
}}

var loopChanged = &builtin{name: "changed", variadic: func(x *exec, self Value, a arguments) Value {
	a.refuseNames(x, "changed")
	l := self.(*loop)
	if l.called && x.equalItems(l.changed, a.pos) {
		return boolean(false)
	}
	l.called, l.changed = true, a.pos
	return boolean(true)
}}

// recurse is loop(items) in a recursive loop: its body over other items.
func (l *loop) recurse(x *exec, a arguments) Value {
	if !l.s.recursive {
		x.fail("TypeError: The loop must have the 'recursive' marker to be called recursively.")
	}
	if len(a.pos) != 1 || len(a.names) > 0 {
		x.fail("TypeError: loop() takes one argument")
	}
	x.nest()
	defer x.unnest()
	old := x.scope
	x.scope = l.scope
	v := x.capturedValue(func() { l.s.over(x, a.pos[0], l.depth0+1) })
	x.scope = old
	return v
}

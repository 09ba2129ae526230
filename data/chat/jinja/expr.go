package jinja

// expr is an expression of a template.
type expr interface {
	eval(x *exec) Value
}

type constant struct{ v Value }

func (e constant) eval(*exec) Value { return e.v }

type nameExpr struct {
	id   int
	name string
}

func (e *nameExpr) eval(x *exec) Value {
	if v := x.lookup(e.id); v != nil {
		return v
	}
	return missing("'%s' is undefined", e.name)
}

type orExpr struct{ a, b expr }

func (e *orExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	if v := e.a.eval(x); x.truth(v) {
		return v
	}
	return e.b.eval(x)
}

type andExpr struct{ a, b expr }

func (e *andExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	if v := e.a.eval(x); !x.truth(v) {
		return v
	}
	return e.b.eval(x)
}

type notExpr struct{ e expr }

func (e *notExpr) eval(x *exec) Value {
	x.nest()
	v := !x.truth(e.e.eval(x))
	x.unnest()
	return boolean(v)
}

// condExpr is "a if test else b"; without else it is undefined.
type condExpr struct {
	then, test, orElse expr
	line               int
}

func (e *condExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	if x.truth(e.test.eval(x)) {
		return e.then.eval(x)
	}
	if e.orElse != nil {
		return e.orElse.eval(x)
	}
	return missing("the inline if-expression on line %d evaluated to false and no else section was defined.", e.line)
}

type operand struct {
	op string
	e  expr
}

// compareExpr is a chain of comparisons that holds if all do.
type compareExpr struct {
	first expr
	rest  []operand
	line  int
}

func (e *compareExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	a := e.first.eval(x)
	for _, o := range e.rest {
		b := o.e.eval(x)
		x.line = e.line
		if !x.compare(o.op, a, b) {
			return boolean(false)
		}
		a = b
	}
	return boolean(true)
}

func (x *exec) compare(op string, a, b Value) bool {
	switch op {
	case "==":
		return x.equal(a, b)
	case "!=":
		return !x.equal(a, b)
	case "in":
		return x.contains(b, a)
	case "not in":
		return !x.contains(b, a)
	}
	return x.less(op, a, b)
}

// concatExpr is a ~ b: the texts of its parts, joined.
type concatExpr struct {
	parts []expr
	line  int
}

func (e *concatExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	values := make([]Value, len(e.parts))
	marked := false
	for i, part := range e.parts {
		values[i] = part.eval(x)
		_, is := values[i].(markup)
		marked = marked || is
	}
	x.line = e.line
	if marked && x.escape {
		return x.joinMarkup("", values)
	}
	return str(x.join("", values))
}

type signExpr struct {
	minus bool
	e     expr
	line  int
}

func (e *signExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	v := e.e.eval(x)
	x.line = e.line
	if u, ok := v.(*undefined); ok {
		x.refuse(u)
	}
	if !isNumber(v) {
		x.fail("TypeError: bad operand type for unary %s: '%s'", map[bool]string{true: "-", false: "+"}[e.minus], v.typeName())
	}
	if f, ok := v.(float); ok && e.minus {
		return -f
	}
	if e.minus {
		return x.arithmetic("-", integer(0), v)
	}
	if b, ok := v.(boolean); ok {
		n, _ := small(b)
		return integer(n)
	}
	return v
}

type binaryExpr struct {
	op   string
	a, b expr
	line int
}

func (e *binaryExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	a := e.a.eval(x)
	b := e.b.eval(x)
	x.line = e.line
	return x.binary(e.op, a, b)
}

type listExpr struct{ items []expr }

func (e *listExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	return &list{x.all(e.items)}
}

type tupleExpr struct{ items []expr }

func (e *tupleExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	return &tuple{items: x.all(e.items)}
}

func (x *exec) all(items []expr) []Value {
	x.container(len(items))
	out := make([]Value, len(items))
	for i, item := range items {
		out[i] = item.eval(x)
	}
	return out
}

type dictExpr struct {
	keys, values []expr
	line         int
}

func (e *dictExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	d := &dict{}
	x.made(headerBytes + entryBytes*len(e.keys))
	for i := range e.keys {
		key, value := e.keys[i].eval(x), e.values[i].eval(x)
		x.line = e.line
		d.set(x.key(key), key, value)
	}
	return d
}

package jinja

import "unicode/utf8"

// attrExpr is obj.name.
type attrExpr struct {
	obj  expr
	name string
	line int
}

func (e *attrExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	obj := e.obj.eval(x)
	x.line = e.line
	return x.getAttribute(obj, e.name)
}

// getAttribute is Jinja's dot: the attribute, else the item, else undefined.
func (x *exec) getAttribute(obj Value, name string) Value {
	x.step(len(name) / bytesPerStep)
	if v := x.attribute(obj, name); v != nil {
		return v
	}
	if d, ok := obj.(*dict); ok {
		if v, ok := d.field(name); ok {
			return v
		}
	}
	return missingAttribute(obj, name)
}

// itemExpr is obj[arg].
type itemExpr struct {
	obj, arg expr
	line     int
}

func (e *itemExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	obj := e.obj.eval(x)
	arg := e.arg.eval(x)
	x.line = e.line
	return x.getItem(obj, arg)
}

// getItem is Jinja's subscript: the item, else the attribute, else undefined.
func (x *exec) getItem(obj, arg Value) Value {
	if v := x.item(obj, arg); v != nil {
		return v
	}
	name, ok := textOf(arg)
	if !ok {
		return &undefined{reason: func() string { return describe(obj) + " has no element " + x.repr(arg) }}
	}
	if v := x.attribute(obj, name); v != nil {
		return v
	}
	return missingAttribute(obj, name)
}

func missingAttribute(obj Value, name string) *undefined {
	return missing("'%s' has no attribute '%s'", describe(obj), name)
}

// describe names an object as Jinja's messages do.
func describe(v Value) string {
	if _, ok := v.(none); ok {
		return "None"
	}
	if n := v.typeName(); n == "Namespace" || n == "LoopContext" || n == "Macro" {
		return "jinja2." + map[string]string{"Namespace": "utils", "LoopContext": "runtime", "Macro": "runtime"}[n] + "." + n + " object"
	}
	return v.typeName() + " object"
}

// item is Python's obj[arg], or nil where that raises a lookup or type error.
func (x *exec) item(obj, arg Value) Value {
	switch obj := obj.(type) {
	case *dict:
		if h, ok := x.hash(arg); ok {
			v, _ := obj.get(h)
			return v
		}
		return nil
	case *undefined:
		x.refuse(obj)
	case str, markup:
		return x.character(obj, arg)
	}
	n, ok := x.size(obj)
	if !ok || !isInt(arg) {
		return nil
	}
	i := x.index(arg)
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return nil
	}
	switch obj := obj.(type) {
	case *list:
		return obj.items[i]
	case *tuple:
		return obj.items[i]
	case *span:
		return obj.at(i)
	}
	return nil
}

// character is a text's character at an index that counts code points.
func (x *exec) character(v, arg Value) Value {
	if !isInt(arg) {
		return nil
	}
	s, _ := textOf(v)
	n, _ := x.size(v)
	i := x.index(arg)
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return nil
	}
	at := byteOffset(s, i)
	_, width := utf8.DecodeRuneInString(s[at:])
	return like(v, s[at:at+width])
}

// byteOffset returns where code point i of s starts; len(s) behind the end.
func byteOffset(s string, i int) int {
	for at := range s {
		if i == 0 {
			return at
		}
		i--
	}
	return len(s)
}

// like makes a text of the type of v: Markup stays Markup.
func like(v Value, s string) Value {
	if _, ok := v.(markup); ok {
		return markup(s)
	}
	return str(s)
}

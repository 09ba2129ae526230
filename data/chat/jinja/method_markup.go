package jinja

import "html"

// escapedArgument is the argument that a str method of Markup escapes, by name, as
// markupsafe 3 does; other arguments are taken as they are.
var escapedArgument = map[string]int{"replace": 1, "ljust": 1, "rjust": 1, "center": 1}

// escaping makes the Markup version of a str method: texts that come out are
// Markup.
func escaping(b *builtin) *builtin {
	return &builtin{name: b.name, variadic: func(x *exec, self Value, a arguments) Value {
		if b.name == "join" && len(a.pos) == 1 {
			return x.joinMarkup(self.(markup), x.items(a.pos[0]))
		}
		if i, ok := escapedArgument[b.name]; ok && i < len(a.pos) {
			a.pos = append([]Value(nil), a.pos...)
			a.pos[i] = x.escaped(a.pos[i])
		}
		return asMarkup(b.invoke(x, self, a))
	}}
}

// asMarkup marks a text, or the texts of a list or tuple.
func asMarkup(v Value) Value {
	switch v := v.(type) {
	case str:
		return markup(v)
	case *list:
		return &list{markedItems(v.items)}
	case *tuple:
		return &tuple{items: markedItems(v.items)}
	}
	return v
}

func markedItems(items []Value) []Value {
	out := make([]Value, len(items))
	for i, item := range items {
		out[i] = asMarkup(item)
	}
	return out
}

// markupMethods are those that only Markup has.
var markupMethods = []*builtin{
	{name: "striptags", fixed: func(x *exec, self Value, _ []Value) Value { return str(x.stripTags(x.str(self))) }},
	{name: "unescape", fixed: func(x *exec, self Value, _ []Value) Value {
		s := x.str(self)
		x.room(2 * len(s))
		return str(html.UnescapeString(s))
	}},
	{name: "escape", params: []string{"s"}, positional: true, fixed: func(x *exec, _ Value, a []Value) Value { return x.escaped(a[0]) }},
}

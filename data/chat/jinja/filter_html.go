package jinja

import (
	"html"
	"strings"
)

var htmlFilters = []*builtin{
	{name: "escape", fixed: func(x *exec, v Value, _ []Value) Value { return x.escaped(v) }},
	{name: "forceescape", fixed: func(x *exec, v Value, _ []Value) Value { return x.escaped(str(x.str(v))) }},
	{name: "safe", fixed: func(x *exec, v Value, _ []Value) Value { return markup(x.str(v)) }},
	{name: "striptags", fixed: func(x *exec, v Value, _ []Value) Value { return str(x.stripTags(x.str(v))) }},
	{name: "xmlattr", params: []string{"autospace?"}, fixed: filterXMLAttr},
	{name: "urlencode", fixed: filterURLEncode},
}

// stripTags removes comments and tags, joins words by one space and decodes
// character references.
func (x *exec) stripTags(s string) string {
	x.room(len(s))
	x.made(itemBytes * len(s)) // each character may become a word
	s = removeBetween(s, "<!--", "-->")
	s = removeBetween(s, "<", ">")
	return html.UnescapeString(strings.Join(strings.FieldsFunc(s, isSpace), " "))
}

// removeBetween cuts out everything from open to end; text behind an open one
// that never ends stays.
func removeBetween(s, open, end string) string {
	var out strings.Builder
	for {
		at := strings.Index(s, open)
		if at < 0 {
			break
		}
		n := strings.Index(s[at:], end)
		if n < 0 {
			break
		}
		out.WriteString(s[:at])
		s = s[at+n+len(end):]
	}
	out.WriteString(s)
	return out.String()
}

func filterXMLAttr(x *exec, v Value, a []Value) Value {
	d, ok := v.(*dict)
	if !ok {
		x.fail("AttributeError: '%s' object has no attribute 'items'", v.typeName())
	}
	var parts []Value
	for i, key := range d.keys {
		if _, absent := d.values[i].(*undefined); absent || isNone(d.values[i]) {
			continue
		}
		name := x.textArg(key, "xmlattr() key")
		if strings.ContainsAny(name, " \t\n\r\f\v/>=") {
			x.fail("ValueError: Invalid character in attribute name: %s", quote(name))
		}
		parts = append(parts, str(string(x.escaped(key))+`="`+string(x.escaped(d.values[i]))+`"`))
	}
	s := x.join(" ", parts)
	if s != "" && (a[0] == nil || x.truth(a[0])) {
		s = " " + s
	}
	if x.escape {
		return markup(s)
	}
	return str(s)
}

// filterURLEncode quotes a text, or the pairs of a dict or list as a query.
func filterURLEncode(x *exec, v Value, _ []Value) Value {
	next, iterable := x.iter(v)
	if _, isText := textOf(v); isText || !iterable {
		return str(x.urlQuote(v, false))
	}
	if d, ok := v.(*dict); ok {
		next, _ = x.iter(&view{d, viewItems})
	}
	var parts []Value
	for item, ok := next(); ok; item, ok = next() {
		pair := x.items(item)
		if len(pair) != 2 {
			x.fail("ValueError: not enough values to unpack (expected 2, got %d)", len(pair))
		}
		parts = append(parts, str(x.urlQuote(pair[0], true)+"="+x.urlQuote(pair[1], true)))
	}
	return str(x.join("&", parts))
}

func (x *exec) urlQuote(v Value, query bool) string {
	const hex = "0123456789ABCDEF"
	s := x.str(v)
	x.room(3 * len(s))
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("_.-~", c) >= 0, c == '/' && !query:
			out.WriteByte(c)
		case c == ' ' && query:
			out.WriteByte('+')
		default:
			out.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return out.String()
}

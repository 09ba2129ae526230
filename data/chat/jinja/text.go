package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is Python's str(v).
func (x *exec) str(v Value) string {
	switch v := v.(type) {
	case str:
		return string(v)
	case markup:
		return string(v)
	case *undefined:
		return ""
	}
	return x.repr(v)
}

// repr is Python's repr(v).
func (x *exec) repr(v Value) string {
	switch v := v.(type) {
	case integer:
		return strconv.FormatInt(int64(v), 10)
	case none:
		return "None"
	case float:
		return floatText(float64(v))
	}
	w := &reprWriter{x: x}
	w.write(v)
	return w.out.String()
}

// reprWriter collects the text of nested values.
type reprWriter struct {
	x   *exec
	out strings.Builder
}

func (w *reprWriter) add(s string) {
	w.x.work(len(s))
	w.x.made(len(s))
	if w.out.Len()+len(s) > w.x.limits.OutputBytes {
		w.x.limit("a text of more than %d bytes", w.x.limits.OutputBytes)
	}
	w.out.WriteString(s)
}

func (w *reprWriter) write(v Value) {
	w.x.nest()
	defer w.x.unnest()
	switch v := v.(type) {
	case none:
		w.add("None")
	case boolean:
		w.add(map[boolean]string{true: "True", false: "False"}[v])
	case integer:
		w.add(strconv.FormatInt(int64(v), 10))
	case bigint:
		w.x.step(v.n.BitLen())
		w.add(v.n.String())
	case float:
		w.add(floatText(float64(v)))
	case str:
		w.x.work(4 * len(v))
		w.add(quote(string(v)))
	case markup:
		w.x.work(4 * len(v))
		w.add("Markup(" + quote(string(v)) + ")")
	case *list:
		w.sequence("[", v.items, "]")
	case *tuple:
		end := ")"
		if len(v.items) == 1 {
			end = ",)"
		}
		w.sequence("(", v.items, end)
	case *dict:
		w.mapping(v)
	default:
		w.object(v)
	}
}

// object writes values that have no literal. Python shows addresses of some;
// they are left out here, so that equal inputs give equal texts.
func (w *reprWriter) object(v Value) {
	switch v := v.(type) {
	case *span:
		w.add("range(" + strconv.FormatInt(v.start, 10) + ", " + strconv.FormatInt(v.stop, 10))
		if v.step != 1 {
			w.add(", " + strconv.FormatInt(v.step, 10))
		}
		w.add(")")
	case *view:
		w.add(v.typeName() + "(")
		w.sequence("[", v.all(), "]")
		w.add(")")
	case *undefined:
		w.add("Undefined")
	case *namespace:
		w.add("<Namespace ")
		w.mapping(v.fields)
		w.add(">")
	case *macro:
		w.add("<Macro " + quote(v.def.name) + ">")
	case *loop:
		w.add("<LoopContext " + strconv.Itoa(v.index0+1) + "/" + strconv.Itoa(v.len(w.x)) + ">")
	default:
		w.add("<" + v.typeName() + " object>")
	}
}

func (w *reprWriter) sequence(open string, items []Value, end string) {
	w.add(open)
	for i, item := range items {
		if i > 0 {
			w.add(", ")
		}
		w.write(item)
	}
	w.add(end)
}

func (w *reprWriter) mapping(d *dict) {
	w.add("{")
	for i, key := range d.keys {
		if i > 0 {
			w.add(", ")
		}
		w.write(key)
		w.add(": ")
		w.write(d.values[i])
	}
	w.add("}")
}

// quote is repr of a str: single quotes unless only those occur inside.
func quote(s string) string {
	q := byte('\'')
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		q = '"'
	}
	out := []byte{q}
	for _, r := range s {
		out = appendQuoted(out, r, q)
	}
	return string(append(out, q))
}

func appendQuoted(out []byte, r rune, q byte) []byte {
	const hex = "0123456789abcdef"
	switch {
	case r == rune(q) || r == '\\':
		return append(out, '\\', byte(r))
	case r == '\n':
		return append(out, `\n`...)
	case r == '\r':
		return append(out, `\r`...)
	case r == '\t':
		return append(out, `\t`...)
	case printable(r):
		return utf8.AppendRune(out, r)
	}
	digits, mark := 2, byte('x')
	if r > 0xffff {
		digits, mark = 8, 'U'
	} else if r > 0xff {
		digits, mark = 4, 'u'
	}
	out = append(out, '\\', mark)
	for i := digits - 1; i >= 0; i-- {
		out = append(out, hex[r>>(4*i)&15])
	}
	return out
}

// printable is Python's str.isprintable for one character.
func printable(r rune) bool { return r == ' ' || unicode.IsPrint(r) }

// floatText is repr of a float: the shortest text that reads back equal, with an
// exponent below 1e-4 and from 1e16 on.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if strings.IndexByte(s, '.') < 0 {
		s += ".0"
	}
	return s
}

// validText repairs text that is not UTF-8.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

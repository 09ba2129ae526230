package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

var jsonFilters = []*builtin{
	{name: "tojson", params: []string{"ensure_ascii?", "indent?", "separators?", "sort_keys?"}, fixed: filterToJSON},
}

// filterToJSON is json.dumps(v, ensure_ascii=False, …) as transformers defines
// the filter: no HTML escapes, keys in their order.
func filterToJSON(x *exec, v Value, a []Value) Value {
	w := &jsonWriter{x: x, ascii: x.flag(a[0]), sort: x.flag(a[3]), comma: ", ", colon: ": "}
	if !isNone(a[1]) {
		w.pretty, w.comma = true, ","
		if s, ok := textOf(a[1]); ok {
			w.indent = s
		} else {
			n := max(x.intArg(a[1], 0), 0)
			x.repeat(n, 1)
			w.indent = strings.Repeat(" ", n)
		}
	}
	if !isNone(a[2]) {
		pair := x.items(a[2])
		if len(pair) != 2 {
			x.fail("ValueError: separators: expected 2 values, got %d", len(pair))
		}
		w.comma, w.colon = x.textArg(pair[0], "item separator"), x.textArg(pair[1], "key separator")
	}
	w.write(v)
	return str(w.out)
}

// jsonWriter writes one value.
type jsonWriter struct {
	x            *exec
	out          []byte
	ascii, sort  bool
	pretty       bool
	indent       string
	depth        int
	comma, colon string
}

func (w *jsonWriter) add(s string) {
	w.x.work(len(s))
	w.x.made(len(s))
	if len(w.out)+len(s) > w.x.limits.OutputBytes {
		w.x.room(len(w.out) + len(s))
	}
	w.out = append(w.out, s...)
}

func (w *jsonWriter) write(v Value) {
	w.x.nest()
	defer w.x.unnest()
	switch v := v.(type) {
	case none:
		w.add("null")
	case boolean:
		w.add(strconv.FormatBool(bool(v)))
	case integer, bigint:
		w.add(w.x.repr(v))
	case float:
		w.add(jsonFloat(float64(v)))
	case str:
		w.quote(string(v))
	case markup:
		w.quote(string(v))
	case *list:
		w.list(v.items)
	case *tuple:
		w.list(v.items)
	case *dict:
		w.dict(v)
	default:
		w.x.fail("TypeError: Object of type %s is not JSON serializable", v.typeName())
	}
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatText(f)
}

// line starts a new line of pretty output.
func (w *jsonWriter) line() {
	if !w.pretty {
		return
	}
	w.x.repeat(w.depth, len(w.indent))
	w.add("\n" + strings.Repeat(w.indent, w.depth))
}

func (w *jsonWriter) list(items []Value) {
	if len(items) == 0 {
		w.add("[]")
		return
	}
	w.add("[")
	w.depth++
	for i, item := range items {
		if i > 0 {
			w.add(w.comma)
		}
		w.line()
		w.write(item)
	}
	w.depth--
	w.line()
	w.add("]")
}

func (w *jsonWriter) dict(d *dict) {
	if d.len() == 0 {
		w.add("{}")
		return
	}
	order := make([]int, d.len())
	for i := range order {
		order[i] = i
	}
	if w.sort {
		slices.SortStableFunc(order, func(a, b int) int {
			if w.x.less("<", d.keys[a], d.keys[b]) {
				return -1
			}
			return 1
		})
	}
	w.add("{")
	w.depth++
	for n, i := range order {
		if n > 0 {
			w.add(w.comma)
		}
		w.line()
		w.key(d.keys[i])
		w.add(w.colon)
		w.write(d.values[i])
	}
	w.depth--
	w.line()
	w.add("}")
}

// key writes a key: numbers, booleans and None become text.
func (w *jsonWriter) key(v Value) {
	switch v := v.(type) {
	case str:
		w.quote(string(v))
	case markup:
		w.quote(string(v))
	case none:
		w.add(`"null"`)
	case boolean:
		w.add(`"` + strconv.FormatBool(bool(v)) + `"`)
	case integer, bigint:
		w.add(`"` + w.x.repr(v) + `"`)
	case float:
		w.add(`"` + jsonFloat(float64(v)) + `"`)
	default:
		w.x.fail("TypeError: keys must be str, int, float, bool or None, not %s", v.typeName())
	}
}

// jsonEscapes are the short escapes of json.dumps.
var jsonEscapes = map[byte]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

func (w *jsonWriter) quote(s string) {
	w.add(`"`)
	start := 0
	for i := 0; i < len(s); {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		if r >= 0x20 && r != '"' && r != '\\' && (r < 0x7f || !w.ascii) {
			i += n
			continue
		}
		w.add(s[start:i])
		w.add(escapeRune(r))
		i += n
		start = i
	}
	w.add(s[start:])
	w.add(`"`)
}

func escapeRune(r rune) string {
	if r < utf8.RuneSelf {
		if s, ok := jsonEscapes[byte(r)]; ok {
			return s
		}
	}
	if r > 0xffff {
		r -= 0x10000
		return escapeRune(0xd800+r>>10) + escapeRune(0xdc00+r&0x3ff)
	}
	s := strconv.FormatInt(int64(r), 16)
	return `\u` + strings.Repeat("0", 4-len(s)) + s
}

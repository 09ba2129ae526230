package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// convert formats a value by one directive.
func (f *printer) convert(v Value, spec formatSpec) string {
	if spec.align == 0 {
		spec.align = '>'
	}
	if spec.zero && spec.align == '>' && strings.IndexByte("diouxXeEfFgG", spec.kind) >= 0 {
		spec.align, spec.fill = '=', "0"
	}
	switch spec.kind {
	case 's', 'r', 'a':
		s := f.text(v, spec.kind)
		spec.kind = 's'
		return f.x.formatText(s, spec)
	case 'c':
		spec.kind = 's'
		return f.x.formatText(f.char(v), spec)
	case 'd', 'i', 'u', 'o', 'x', 'X':
		return f.whole(v, spec)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		if !isNumber(v) {
			f.refuse(v)
			f.x.fail("TypeError: must be real number, not %s", v.typeName())
		}
		if spec.precision < 0 {
			spec.precision = 6
		}
		return f.x.formatFloat(f.x.floatOf(v), spec)
	}
	f.x.fail("ValueError: unsupported format character '%c' (%#x) at index %d", spec.kind, spec.kind, f.pos-1)
	return ""
}

func (f *printer) refuse(v Value) {
	if u, ok := v.(*undefined); ok {
		f.x.refuse(u)
	}
}

func (f *printer) text(v Value, kind byte) string {
	s := ""
	switch {
	case kind == 's' && f.escape:
		return string(f.x.escaped(v))
	case kind == 's':
		return f.x.str(v)
	default:
		s = f.x.repr(v)
	}
	if kind == 'a' {
		s = toASCII(s)
	}
	if f.escape {
		return string(f.x.escaped(str(s)))
	}
	return s
}

// toASCII spells out what is not ASCII, as Python's ascii().
func toASCII(s string) string {
	var out []byte
	for _, r := range s {
		if r < 0x80 {
			out = append(out, byte(r))
			continue
		}
		out = append(out, strconv.QuoteRuneToASCII(r)[1:]...)
		out = out[:len(out)-1]
		if r < 0x100 {
			out = append(out[:len(out)-6], `\x`+strconv.FormatInt(int64(r), 16)...)
		}
	}
	return string(out)
}

func (f *printer) char(v Value) string {
	if s, ok := textOf(v); ok && utf8.RuneCountInString(s) == 1 {
		return s
	}
	if !isInt(v) {
		f.x.fail("TypeError: %%c requires int or char")
	}
	n := f.x.index(v)
	if n < 0 || n > 0x10ffff || n >= 0xd800 && n < 0xe000 {
		f.x.fail("OverflowError: %%c arg not in range(0x110000)")
	}
	return string(rune(n))
}

// whole formats an int; %d also takes floats and cuts their fraction off.
func (f *printer) whole(v Value, spec formatSpec) string {
	if fl, ok := v.(float); ok && strings.IndexByte("diu", spec.kind) >= 0 {
		if math.IsNaN(float64(fl)) || math.IsInf(float64(fl), 0) {
			f.x.fail("OverflowError: cannot convert float infinity or NaN to integer")
		}
		v = fromBig(bigFloat(math.Trunc(float64(fl))))
	}
	if !isInt(v) {
		f.refuse(v)
		f.x.fail("TypeError: %%%c format: a real number is required, not %s", spec.kind, v.typeName())
	}
	if strings.IndexByte("iu", spec.kind) >= 0 {
		spec.kind = 'd'
	}
	spec.minDigits, spec.precision = spec.precision, -1
	return f.x.formatInt(bigOf(v), spec)
}

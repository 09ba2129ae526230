package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// formatSpec is Python's format specification:
// [[fill]align][sign][#][0][width][grouping][.precision][type].
type formatSpec struct {
	fill      string
	align     byte // '<', '>', '^', '=' or 0
	sign      byte // '+', '-', ' ' or 0
	alternate bool
	zero      bool
	width     int
	group     byte // ',', '_' or 0
	precision int  // -1 for none
	minDigits int  // of ints, in % formats
	kind      byte // 0 for none
}

// parseSpec reads a specification.
func (x *exec) parseSpec(s string) formatSpec {
	spec := formatSpec{precision: -1, minDigits: -1}
	_, n := utf8.DecodeRuneInString(s)
	if len(s) > n && n > 0 && strings.IndexByte("<>^=", s[n]) >= 0 {
		spec.fill, spec.align, s = s[:n], s[n], s[n+1:]
	} else if s != "" && strings.IndexByte("<>^=", s[0]) >= 0 {
		spec.align, s = s[0], s[1:]
	}
	take := func(set string) byte {
		if s != "" && strings.IndexByte(set, s[0]) >= 0 {
			c := s[0]
			s = s[1:]
			return c
		}
		return 0
	}
	number := func() int {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		if n == 0 {
			return -1
		}
		v, err := strconv.Atoi(s[:n])
		if err != nil {
			x.fail("ValueError: Too many decimal digits in format string")
		}
		s = s[n:]
		return v
	}
	spec.sign = take("+- ")
	spec.alternate = take("#") != 0
	if take("0") != 0 {
		spec.zero = true
		if spec.fill == "" && spec.align == 0 {
			spec.fill, spec.align = "0", '='
		}
	}
	spec.width = max(number(), 0)
	spec.group = take(",_")
	if take(".") != 0 {
		if spec.precision = number(); spec.precision < 0 {
			x.fail("ValueError: Format specifier missing precision")
		}
	}
	spec.kind = take("bcdeEfFgGnosxX%")
	if s != "" {
		x.fail("ValueError: Invalid format specifier")
	}
	return spec
}

// pad fills s up to the width; numbers with '=' are filled behind their sign.
func (x *exec) pad(sign, s string, spec formatSpec) string {
	n := spec.width - utf8.RuneCountInString(sign) - utf8.RuneCountInString(s)
	if n <= 0 {
		return sign + s
	}
	fill := spec.fill
	if fill == "" {
		fill = " "
	}
	x.repeat(n, len(fill))
	switch spec.align {
	case '<':
		return sign + s + strings.Repeat(fill, n)
	case '=':
		return sign + strings.Repeat(fill, n) + s
	case '^':
		return strings.Repeat(fill, n/2) + sign + s + strings.Repeat(fill, n-n/2)
	}
	return strings.Repeat(fill, n) + sign + s
}

// formatText formats a str.
func (x *exec) formatText(s string, spec formatSpec) string {
	if spec.kind != 0 && spec.kind != 's' {
		x.fail("ValueError: Unknown format code '%c' for object of type 'str'", spec.kind)
	}
	if spec.align == '=' && !spec.zero {
		x.fail("ValueError: '=' alignment not allowed in string format specifier")
	}
	if spec.align == 0 || spec.align == '=' {
		spec.align = '<'
	}
	x.work(len(s))
	if spec.precision >= 0 {
		s = s[:byteOffset(s, spec.precision)]
	}
	return x.pad("", s, spec)
}

// signOf returns the sign to print.
func (s formatSpec) signOf(negative bool) string {
	switch {
	case negative:
		return "-"
	case s.sign == '+' || s.sign == ' ':
		return string(s.sign)
	}
	return ""
}

// formatInt formats an int.
func (x *exec) formatInt(n *big.Int, spec formatSpec) string {
	bases := map[byte]int{'b': 2, 'o': 8, 'x': 16, 'X': 16}
	if strings.IndexByte("eEfFgG%", spec.kind) >= 0 && spec.kind != 0 {
		if spec.precision < 0 {
			spec.precision = 6
		}
		return x.formatFloat(x.floatOf(fromBig(n)), spec)
	}
	if spec.kind == 's' {
		x.fail("ValueError: Unknown format code 's' for object of type 'int'")
	}
	if spec.precision >= 0 {
		x.fail("ValueError: Precision not allowed in integer format specifier")
	}
	if spec.kind == 'c' {
		return x.formatText((&printer{x: x}).char(fromBig(n)), formatSpec{fill: spec.fill, align: spec.align, width: spec.width, precision: -1})
	}
	base := bases[spec.kind]
	prefix := ""
	if base == 0 {
		base = 10
	} else if spec.alternate {
		prefix = "0" + string(spec.kind)
	}
	digits := new(big.Int).Abs(n).Text(base)
	if missing := spec.minDigits - len(digits); missing > 0 {
		x.repeat(missing, 1)
		digits = strings.Repeat("0", missing) + digits
	}
	if spec.kind == 'X' {
		digits = strings.ToUpper(digits)
	}
	return x.finish(spec.signOf(n.Sign() < 0)+prefix, digits, "", spec)
}

// finish groups digits and pads a number.
func (x *exec) finish(sign, whole, rest string, spec formatSpec) string {
	if spec.group != 0 {
		size := 3
		if strings.IndexByte("boxX", spec.kind) >= 0 && spec.kind != 0 {
			size = 4
		}
		if spec.align == '=' && spec.fill == "0" {
			whole = x.zeros(whole, size, spec.width-len(sign)-len(rest))
		}
		whole = grouped(whole, size, spec.group)
	}
	if spec.align == 0 {
		spec.align = '>'
	}
	return x.pad(sign, whole+rest, spec)
}

// zeros puts so many zeros in front of digits that they fill the width once they
// are grouped.
func (x *exec) zeros(digits string, size, width int) string {
	n := width * size / (size + 1)
	for n+(n-1)/size < width {
		n++
	}
	missing := max(n-len(digits), 0)
	x.repeat(missing, 4) // grouping and padding copy it
	return strings.Repeat("0", missing) + digits
}

func grouped(digits string, size int, by byte) string {
	out := make([]byte, 0, len(digits)+len(digits)/size)
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%size == 0 {
			out = append(out, by)
		}
		out = append(out, digits[i])
	}
	return string(out)
}

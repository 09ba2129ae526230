package parquet

import (
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// leaf says what a column's values are and how to write them as JSON.
type leaf struct {
	physical int64
	width    int // bytes of a value of fixed length
	write    func(dst []byte, v value) ([]byte, error)
	text     bool
}

// leafOf chooses by logical and physical type.
func leafOf(e *element) leaf {
	l := writerOf(e)
	l.physical = e.physical
	l.width = [...]int{0, 4, 8, 12, 4, 8, 0, int(e.width)}[e.physical]
	return l
}

func writerOf(e *element) leaf {
	switch e.physical {
	case physicalBoolean:
		return leaf{write: func(dst []byte, v value) ([]byte, error) { return strconv.AppendBool(dst, v.bits == 1), nil }}
	case physicalInt32, physicalInt64:
		return integerOf(e)
	case physicalFloat:
		return leaf{write: func(dst []byte, v value) ([]byte, error) { return number(dst, float64(v.float32())), nil }}
	case physicalDouble:
		return leaf{write: func(dst []byte, v value) ([]byte, error) { return number(dst, v.float64()), nil }}
	case physicalBytes:
		if e.logical.kind == logicalDecimal || e.converted == convertedDecimal {
			return unsupported("a decimal in bytes")
		}
		return leaf{write: text, text: true}
	}
	return unsupported(physicalNames[e.physical])
}

// unsupported refuses values of a kind; nulls may stand there.
func unsupported(kind string) leaf {
	return leaf{write: func([]byte, value) ([]byte, error) {
		return nil, fmt.Errorf("got %s, want text, a number, a boolean, a date or a time stamp", kind)
	}}
}

// integerOf chooses for columns of whole numbers.
func integerOf(e *element) leaf {
	switch e.logical.kind {
	case logicalDate:
		return dates()
	case logicalStamp:
		units := [...]time.Duration{time.Millisecond, time.Millisecond, time.Microsecond, time.Nanosecond}
		return stamps(units[min(max(e.logical.unit, 0), 3)])
	case logicalDecimal:
		return decimals(e.logical.scale)
	case logicalInteger:
		if e.logical.unsigned {
			return unsigned(e.physical)
		}
	case 0:
		switch c := e.converted; {
		case c == convertedDate:
			return dates()
		case c == convertedMillis:
			return stamps(time.Millisecond)
		case c == convertedMicros:
			return stamps(time.Microsecond)
		case c == convertedDecimal:
			return decimals(e.scale)
		case c >= convertedUint8 && c <= convertedUint64:
			return unsigned(e.physical)
		}
	}
	return leaf{write: func(dst []byte, v value) ([]byte, error) { return strconv.AppendInt(dst, v.integer(), 10), nil }}
}

func unsigned(physical int64) leaf {
	return leaf{write: func(dst []byte, v value) ([]byte, error) {
		if physical == physicalInt32 {
			return strconv.AppendUint(dst, uint64(uint32(v.bits)), 10), nil
		}
		return strconv.AppendUint(dst, v.bits, 10), nil
	}}
}

// dates are days since 1970, written as 2006-01-02.
func dates() leaf {
	return leaf{write: func(dst []byte, v value) ([]byte, error) {
		day := time.Unix(0, 0).UTC().AddDate(0, 0, int(v.integer()))
		return day.AppendFormat(dst, `"2006-01-02"`), nil
	}}
}

// stamps are moments, written in UTC as RFC 3339 has it.
func stamps(unit time.Duration) leaf {
	perSecond := int64(time.Second / unit)
	return leaf{write: func(dst []byte, v value) ([]byte, error) {
		n := v.integer()
		seconds, rest := n/perSecond, n%perSecond
		return time.Unix(seconds, rest*int64(unit)).UTC().AppendFormat(dst, `"`+time.RFC3339Nano+`"`), nil
	}}
}

// decimals are whole numbers with a point set in, written with all their digits.
func decimals(scale int64) leaf {
	if scale < 0 || scale > 18 {
		return unsupported("a decimal of scale " + strconv.FormatInt(scale, 10))
	}
	return leaf{write: func(dst []byte, v value) ([]byte, error) {
		digits := strconv.FormatInt(v.integer(), 10)
		if digits[0] == '-' {
			dst, digits = append(dst, '-'), digits[1:]
		}
		for int64(len(digits)) <= scale {
			digits = "0" + digits
		}
		dst = append(dst, digits[:int64(len(digits))-scale]...)
		if scale > 0 {
			dst = append(append(dst, '.'), digits[int64(len(digits))-scale:]...)
		}
		return dst, nil
	}}
}

// number writes a float; NaN and infinities, which JSON has not, become null.
func number(dst []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, x, 'g', -1, 64)
}

// text writes bytes that must be UTF-8 as a JSON string.
func text(dst []byte, v value) ([]byte, error) {
	raw := v.bytes
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("got %d bytes that are no text, want UTF-8 (images and audio are not supported)", len(raw))
	}
	return quoted(dst, raw), nil
}

// quoted appends UTF-8 as a JSON string.
func quoted(dst, raw []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, c := range raw {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, raw[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = fmt.Appendf(dst, "\\u%04x", c)
		}
	}
	return append(append(dst, raw[from:]...), '"')
}

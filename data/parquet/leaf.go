package parquet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// leaf says how to write a column's values as JSON.
type leaf struct {
	write   func(dst []byte, v pq.Value) ([]byte, error)
	text    bool
	boolean bool
}

// leafOf chooses by logical and physical type.
func leafOf(e *format.SchemaElement) leaf {
	converted, has := e.ConvertedType.V, e.ConvertedType.Valid
	is := func(t deprecated.ConvertedType) bool { return has && converted == t }
	switch e.Type.V {
	case format.Boolean:
		return leaf{boolean: true, write: func(dst []byte, v pq.Value) ([]byte, error) { return strconv.AppendBool(dst, v.Boolean()), nil }}
	case format.Int32, format.Int64:
		return integerOf(e, is)
	case format.Float:
		return leaf{write: func(dst []byte, v pq.Value) ([]byte, error) { return number(dst, float64(v.Float())), nil }}
	case format.Double:
		return leaf{write: func(dst []byte, v pq.Value) ([]byte, error) { return number(dst, v.Double()), nil }}
	case format.ByteArray:
		if _, decimal := e.LogicalType.Value.(*format.DecimalType); decimal || is(deprecated.Decimal) {
			return unsupported("a decimal in bytes")
		}
		return leaf{write: text, text: true}
	}
	return unsupported(e.Type.V.String())
}

// unsupported refuses values of a kind; nulls may stand there.
func unsupported(kind string) leaf {
	return leaf{write: func([]byte, pq.Value) ([]byte, error) {
		return nil, fmt.Errorf("got %s, want text, a number, a boolean, a date or a time stamp", kind)
	}}
}

// integerOf chooses for columns of whole numbers.
func integerOf(e *format.SchemaElement, is func(deprecated.ConvertedType) bool) leaf {
	value := func(v pq.Value) int64 { return v.Int64() }
	if e.Type.V == format.Int32 {
		value = func(v pq.Value) int64 { return int64(v.Int32()) }
	}
	write := func(dst []byte, v pq.Value) []byte { return strconv.AppendInt(dst, value(v), 10) }
	logical := e.LogicalType.Value
	switch t := logical.(type) {
	case *format.DateType:
		return dates(value)
	case *format.TimestampType:
		unit := time.Millisecond
		switch t.Unit.Value.(type) {
		case *format.MicroSeconds:
			unit = time.Microsecond
		case *format.NanoSeconds:
			unit = time.Nanosecond
		}
		return stamps(value, unit)
	case *format.DecimalType:
		return decimals(value, int(t.Scale))
	case *format.IntType:
		if !t.IsSigned {
			write = unsigned(e.Type.V, value)
		}
	case nil:
		switch {
		case is(deprecated.Date):
			return dates(value)
		case is(deprecated.TimestampMillis):
			return stamps(value, time.Millisecond)
		case is(deprecated.TimestampMicros):
			return stamps(value, time.Microsecond)
		case is(deprecated.Decimal):
			return decimals(value, int(e.Scale.V))
		case is(deprecated.Uint8), is(deprecated.Uint16), is(deprecated.Uint32), is(deprecated.Uint64):
			write = unsigned(e.Type.V, value)
		}
	}
	return leaf{write: func(dst []byte, v pq.Value) ([]byte, error) { return write(dst, v), nil }}
}

func unsigned(t format.Type, value func(pq.Value) int64) func([]byte, pq.Value) []byte {
	return func(dst []byte, v pq.Value) []byte {
		if t == format.Int32 {
			return strconv.AppendUint(dst, uint64(uint32(value(v))), 10)
		}
		return strconv.AppendUint(dst, uint64(value(v)), 10)
	}
}

// dates are days since 1970, written as 2006-01-02.
func dates(value func(pq.Value) int64) leaf {
	return leaf{write: func(dst []byte, v pq.Value) ([]byte, error) {
		day := time.Unix(0, 0).UTC().AddDate(0, 0, int(value(v)))
		return day.AppendFormat(dst, `"2006-01-02"`), nil
	}}
}

// stamps are moments, written in UTC as RFC 3339 has it.
func stamps(value func(pq.Value) int64, unit time.Duration) leaf {
	perSecond := int64(time.Second / unit)
	return leaf{write: func(dst []byte, v pq.Value) ([]byte, error) {
		n := value(v)
		seconds, rest := n/perSecond, n%perSecond
		return time.Unix(seconds, rest*int64(unit)).UTC().AppendFormat(dst, `"`+time.RFC3339Nano+`"`), nil
	}}
}

// decimals are whole numbers with a point set in, written with all their digits.
func decimals(value func(pq.Value) int64, scale int) leaf {
	if scale < 0 || scale > 18 {
		return unsupported("a decimal of scale " + strconv.Itoa(scale))
	}
	return leaf{write: func(dst []byte, v pq.Value) ([]byte, error) {
		digits := strconv.FormatInt(value(v), 10)
		if digits[0] == '-' {
			dst, digits = append(dst, '-'), digits[1:]
		}
		for len(digits) <= scale {
			digits = "0" + digits
		}
		dst = append(dst, digits[:len(digits)-scale]...)
		if scale > 0 {
			dst = append(append(dst, '.'), digits[len(digits)-scale:]...)
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
func text(dst []byte, v pq.Value) ([]byte, error) {
	raw := v.ByteArray()
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("got %d bytes that are no text, want UTF-8 (images and audio are not supported)", len(raw))
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(raw)); err != nil {
		return nil, err
	}
	return append(dst, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...), nil
}

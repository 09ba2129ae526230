package parquet

import (
	"errors"
	"fmt"
	"math"
)

// element is a node of the schema as the file lists it (parquet.thrift,
// SchemaElement). Absent numbers are -1.
type element struct {
	name       string
	physical   int64
	repetition int64
	children   int64
	converted  int64
	scale      int64
	width      int64 // bytes of a value of fixed length
	logical    logical
}

// logical is the part of LogicalType that is used: which it is, by field of that
// union, and its parameters.
type logical struct {
	kind     int
	scale    int64
	unit     int // of time stamps: 1 milli, 2 micro, 3 nano
	unsigned bool
}

// Physical types.
const (
	physicalBoolean = iota
	physicalInt32
	physicalInt64
	physicalInt96
	physicalFloat
	physicalDouble
	physicalBytes
	physicalFixed
)

var physicalNames = [...]string{"BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"}

// Fields of LogicalType.
const (
	logicalMap     = 2
	logicalList    = 3
	logicalDecimal = 5
	logicalDate    = 6
	logicalStamp   = 8
	logicalInteger = 10
)

// Values of ConvertedType, which older files have instead.
const (
	convertedMap     = 1
	convertedMapPair = 2
	convertedList    = 3
	convertedDecimal = 5
	convertedDate    = 6
	convertedMillis  = 9
	convertedMicros  = 10
	convertedUint8   = 11
	convertedUint64  = 14
)

// chunk is where the values of a column in a row group are (ColumnChunk).
type chunk struct {
	codec                int64
	data, dictionary     int64 // offsets
	size                 int64 // bytes in the file
	index, indexSize     int64 // of the offset index, 0 without one
	elsewhere, described bool
}

// start is where the first page is.
func (c *chunk) start() int64 {
	if c.dictionary > 0 {
		return min(c.data, c.dictionary)
	}
	return c.data
}

// footer is what is kept of a file's description. Column chunks stay as they are
// in the file until their row group is read: there can be very many.
type footer struct {
	elements []element
	groups   []rowGroup
}

// rowGroup is a row group with rows in it.
type rowGroup struct {
	raw  []byte // its structure
	rows int64
	at   int // its index in the file, which may have empty ones
}

// readFooter decodes FileMetaData.
func readFooter(raw []byte, maxElements int) (footer, error) {
	var f footer
	d := &decoder{raw: raw}
	index := 0
	err := d.structure(func(field int, kind byte) error {
		switch field {
		case 2:
			return d.list(kind, func(kind byte) error {
				if len(f.elements) == maxElements {
					return fmt.Errorf("got a schema of more than %d nodes, want fewer (ReadOptions.MaxColumns)", maxElements)
				}
				e, err := d.schemaElement(kind)
				f.elements = append(f.elements, e)
				return err
			})
		case 4:
			return d.list(kind, func(kind byte) error {
				g, err := d.rowGroup(kind)
				if err != nil {
					return fmt.Errorf("row group %d: %w", index, err)
				}
				g.at = index
				index++
				if g.rows > 0 {
					f.groups = append(f.groups, g)
				}
				return nil
			})
		case 8:
			return errors.New("got an encrypted file, want a plain one")
		}
		return d.skip(kind)
	})
	if err == nil && d.at != len(raw) {
		err = fmt.Errorf("got %d bytes after its end, want none", len(raw)-d.at)
	}
	return f, err
}

func (d *decoder) schemaElement(kind byte) (element, error) {
	e := element{physical: -1, repetition: -1, converted: -1}
	err := d.inner(kind, func(field int, kind byte) error {
		switch field {
		case 1:
			return d.number(kind, &e.physical)
		case 2:
			return d.number(kind, &e.width)
		case 3:
			return d.number(kind, &e.repetition)
		case 4:
			name, err := d.text(kind)
			e.name = string(name)
			return err
		case 5:
			return d.number(kind, &e.children)
		case 6:
			return d.number(kind, &e.converted)
		case 7:
			return d.number(kind, &e.scale)
		case 10:
			return d.inner(kind, func(field int, kind byte) error {
				e.logical.kind = field
				return d.logicalType(&e.logical, kind)
			})
		}
		return d.skip(kind)
	})
	if err == nil && (e.physical < -1 || e.physical > physicalFixed || e.width < 0 || e.width > math.MaxInt32 || e.physical == physicalFixed && e.width == 0) {
		err = fmt.Errorf("column %q: got type %d of %d bytes, want one of %d types", e.name, e.physical, e.width, len(physicalNames))
	}
	return e, err
}

// logicalType reads the parameters of a logical type.
func (d *decoder) logicalType(l *logical, kind byte) error {
	return d.inner(kind, func(field int, kind byte) error {
		switch {
		case l.kind == logicalDecimal && field == 1:
			return d.number(kind, &l.scale)
		case l.kind == logicalStamp && field == 2:
			return d.inner(kind, func(field int, kind byte) error {
				l.unit = field
				return d.skip(kind)
			})
		case l.kind == logicalInteger && field == 2:
			var signed bool
			err := d.flag(kind, &signed)
			l.unsigned = !signed
			return err
		}
		return d.skip(kind)
	})
}

// rowGroup moves over a row group and notes where it is.
func (d *decoder) rowGroup(kind byte) (rowGroup, error) {
	var g rowGroup
	from := d.at
	err := d.inner(kind, func(field int, kind byte) error {
		if field == 3 {
			return d.number(kind, &g.rows)
		}
		return d.skip(kind)
	})
	g.raw = d.raw[from:d.at]
	if err == nil && g.rows < 0 {
		err = fmt.Errorf("got %d rows, want none or more", g.rows)
	}
	return g, err
}

// chunks calls visit with the columns of the row group, in order.
func (g rowGroup) chunks(visit func(c chunk) error) error {
	d := &decoder{raw: g.raw}
	return d.structure(func(field int, kind byte) error {
		if field != 1 {
			return d.skip(kind)
		}
		return d.list(kind, func(kind byte) error {
			c, err := d.columnChunk(kind)
			if err != nil {
				return err
			}
			return visit(c)
		})
	})
}

func (d *decoder) columnChunk(kind byte) (chunk, error) {
	var c chunk
	err := d.inner(kind, func(field int, kind byte) error {
		switch field {
		case 1:
			path, err := d.text(kind)
			c.elsewhere = len(path) > 0
			return err
		case 3:
			c.described = true
			return d.columnMeta(&c, kind)
		case 4:
			return d.number(kind, &c.index)
		case 5:
			return d.number(kind, &c.indexSize)
		case 8, 9:
			return errors.New("got an encrypted column, want a plain one")
		}
		return d.skip(kind)
	})
	return c, err
}

func (d *decoder) columnMeta(c *chunk, kind byte) error {
	return d.inner(kind, func(field int, kind byte) error {
		switch field {
		case 4:
			return d.number(kind, &c.codec)
		case 7:
			return d.number(kind, &c.size)
		case 9:
			return d.number(kind, &c.data)
		case 11:
			return d.number(kind, &c.dictionary)
		}
		return d.skip(kind)
	})
}

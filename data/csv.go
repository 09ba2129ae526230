package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"unicode/utf8"
)

// delimiterOf returns what separates the fields of a file named as CSV or TSV, or
// 0 for other files.
func delimiterOf(name string, opts ReadOptions) byte {
	ending := path.Ext(plainName(name))
	switch {
	case ending != ".csv" && ending != ".tsv":
		return 0
	case opts.Delimiter != 0:
		return opts.Delimiter
	case ending == ".tsv":
		return '\t'
	}
	return ','
}

// csvRecords reads CSV as RFC 4180 has it: fields in quotes may hold the
// delimiter, line ends and doubled quotes, all kept as they are. The first record
// names the columns. Every field becomes a JSON string, an empty one too. Blank
// lines are skipped.
type csvRecords struct {
	in        *bufio.Reader
	label     string
	delimiter byte
	opts      ReadOptions

	line   int  // of the next byte
	start  int  // first line of the record being read
	size   int  // bytes of the record so far
	quotes bool // the record has a quoted field
	header []string
	fields [][]byte
	buf    []byte
}

func newCSV(r io.Reader, label string, delimiter byte, opts ReadOptions) *csvRecords {
	return &csvRecords{in: bufio.NewReaderSize(r, 64<<10), label: label, delimiter: delimiter, opts: opts, line: 1}
}

func (c *csvRecords) Close() error { return nil }

// Next returns the next record as an object.
func (c *csvRecords) Next() ([]byte, Place, error) {
	if c.header == nil {
		if err := c.readHeader(); err != nil {
			return nil, Place{}, err
		}
	}
	if err := c.record(); err != nil {
		return nil, Place{}, err
	}
	if len(c.fields) != len(c.header) {
		return nil, Place{}, c.bad(fmt.Sprintf("%d fields", len(c.fields)), fmt.Sprintf("%d as in the header", len(c.header)))
	}
	c.buf = append(c.buf[:0], '{')
	for i, field := range c.fields {
		if !utf8.Valid(field) {
			return nil, Place{}, c.bad(fmt.Sprintf("invalid UTF-8 in field %q", clip(c.header[i])), "text in UTF-8")
		}
		if i > 0 {
			c.buf = append(c.buf, ',')
		}
		c.buf = append(c.buf, quote(c.header[i])...)
		c.buf = append(c.buf, ':')
		c.buf = append(c.buf, quote(string(field))...)
	}
	c.buf = append(c.buf, '}')
	return c.buf, Place{File: c.label, Line: c.start}, nil
}

func (c *csvRecords) readHeader() error {
	if mark, err := c.in.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		if _, err := c.in.Discard(3); err != nil {
			return err
		}
	}
	if err := c.record(); err != nil {
		return err
	}
	header := make([]string, 0, len(c.fields))
	for _, field := range c.fields {
		name := string(field)
		if !utf8.ValidString(name) || slices.Contains(header, name) {
			return c.bad(fmt.Sprintf("column %q twice or not in UTF-8", clip(name)), "a header of distinct names")
		}
		header = append(header, name)
	}
	c.header = header
	return nil
}

// record reads the fields of the next record that is not a blank line.
func (c *csvRecords) record() error {
	for {
		c.fields, c.start, c.size, c.quotes = c.fields[:0], c.line, 0, false
		last := false
		for !last {
			if len(c.fields) == c.opts.MaxColumns {
				return c.bad(fmt.Sprintf("more than %d fields", c.opts.MaxColumns), "at most that (ReadOptions.MaxColumns)")
			}
			var err error
			if last, err = c.field(); err != nil {
				return err
			}
		}
		if len(c.fields) > 1 || c.quotes || len(c.fields[0]) > 0 { // not a blank line
			return nil
		}
	}
}

// field reads one field; last says that it ends the record.
func (c *csvRecords) field() (last bool, err error) {
	i := len(c.fields)
	if i == cap(c.fields) {
		c.fields = append(c.fields, nil)
	}
	c.fields = c.fields[:i+1]
	f := c.fields[i][:0]
	defer func() { c.fields[i] = f }()
	b, err := c.next()
	if errors.Is(err, io.EOF) && i == 0 {
		return false, io.EOF
	}
	if err == nil && b == '"' {
		if f, err = c.quoted(f); err != nil {
			return false, err
		}
		return c.afterQuote()
	}
	for {
		switch {
		case errors.Is(err, io.EOF), err == nil && b == '\n':
			f = bytes.TrimSuffix(f, []byte("\r"))
			return true, nil
		case err != nil:
			return false, err
		case b == c.delimiter:
			return false, nil
		case b == '"':
			return false, c.bad("a quote inside a field that does not begin with one", "the field in quotes, the quote doubled")
		}
		f = append(f, b)
		b, err = c.next()
	}
}

// afterQuote reads what ends a quoted field.
func (c *csvRecords) afterQuote() (last bool, err error) {
	c.quotes = true
	b, err := c.next()
	if err == nil && b == '\r' {
		if b, err = c.next(); err == nil && b != '\n' {
			return false, c.bad("a carriage return after the closing quote of a field", "a delimiter or the end of the line")
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return true, nil
	case err != nil:
		return false, err
	case b != c.delimiter && b != '\n':
		return false, c.bad(fmt.Sprintf("%q after the closing quote of a field", b), "a delimiter or the end of the line")
	}
	return b == '\n', nil
}

// quoted reads up to the quote that closes a field.
func (c *csvRecords) quoted(f []byte) ([]byte, error) {
	for {
		b, err := c.next()
		if errors.Is(err, io.EOF) {
			return f, c.bad("the end of the file inside a quoted field", "a closing quote")
		}
		if err != nil {
			return f, err
		}
		if b == '"' {
			ahead, err := c.in.Peek(1)
			if err != nil || ahead[0] != '"' {
				return f, nil
			}
			if _, err := c.next(); err != nil {
				return f, err
			}
		}
		f = append(f, b)
	}
}

// next returns the next byte and counts.
func (c *csvRecords) next() (byte, error) {
	b, err := c.in.ReadByte()
	if err != nil {
		return 0, err
	}
	if c.size++; c.size > c.opts.MaxRowBytes {
		return 0, c.bad(fmt.Sprintf("a record of more than %d bytes", c.opts.MaxRowBytes), "at most that (ReadOptions.MaxRowBytes); is a quote open?")
	}
	if b == '\n' {
		c.line++
	}
	return b, nil
}

func (c *csvRecords) bad(got, want string) error {
	return &Error{At: Place{File: c.label, Line: c.start}, Got: got, Want: want}
}

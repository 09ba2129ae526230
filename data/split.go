package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// splitter cuts a stream into the JSON texts of its rows: the lines of JSON
// Lines, or the elements of one top-level array.
type splitter struct {
	in      *bufio.Reader
	label   string
	max     int
	line    int // of the next byte
	started bool
	array   bool
	done    bool
	commas  bool // an element was read: the next needs a comma
	buf     []byte
	read    int64 // bytes of lines read
	begin   int64 // where the line returned last begins, in bytes of lines
}

func newSplitter(r io.Reader, label string, max int) *splitter {
	return &splitter{in: bufio.NewReaderSize(r, bufferBytes), label: label, max: max, line: 1}
}

const bufferBytes = 64 << 10

// next returns the next row's text, valid until the next call, and its line.
// It returns io.EOF at the end.
func (s *splitter) next() ([]byte, int, error) {
	if !s.started {
		if err := s.start(); err != nil {
			return nil, 0, err
		}
	}
	if s.array {
		return s.element()
	}
	return s.textLine()
}

// start skips a byte order mark and white space and finds out the format.
func (s *splitter) start() error {
	s.started = true
	if mark, err := s.in.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		if _, err := s.in.Discard(3); err != nil {
			return err
		}
	}
	c, err := s.nextByte()
	if err != nil {
		return err
	}
	if c == '[' {
		s.array = true
		return nil
	}
	return s.in.UnreadByte()
}

// nextByte returns the next byte that is not white space.
func (s *splitter) nextByte() (byte, error) {
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case '\n':
			s.line++
		case ' ', '\t', '\r':
		default:
			return c, nil
		}
	}
}

// textLine returns the next line that is not blank.
func (s *splitter) textLine() ([]byte, int, error) {
	for {
		s.buf = s.buf[:0]
		line := s.line
		s.begin = s.read
		var err error
		for {
			var part []byte
			part, err = s.in.ReadSlice('\n')
			if len(s.buf)+len(part) > s.max+len("\r\n") {
				return nil, 0, s.tooLong(line)
			}
			s.buf = append(s.buf, part...)
			s.read += int64(len(part))
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		s.line++
		if text := bytes.TrimSpace(s.buf); len(text) > s.max {
			return nil, 0, s.tooLong(line)
		} else if len(text) > 0 {
			return text, line, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}

func (s *splitter) tooLong(line int) error {
	return &Error{
		At: Place{File: s.label, Line: line}, Got: fmt.Sprintf("a row of more than %d bytes", s.max),
		Want: "at most that (ReadOptions.MaxRowBytes)",
	}
}

func (s *splitter) bad(got, want string) error {
	return &Error{At: Place{File: s.label, Line: s.line}, Got: got, Want: want}
}

// element returns the next element of the top-level array.
func (s *splitter) element() ([]byte, int, error) {
	if s.done {
		return nil, 0, io.EOF
	}
	c, err := s.nextByte()
	if err == nil && c == ']' {
		return nil, 0, s.finish()
	}
	if err == nil && s.commas {
		if c != ',' {
			return nil, 0, s.bad(fmt.Sprintf("%q", c), "a comma or the end of the list")
		}
		c, err = s.nextByte()
	}
	if err != nil {
		return nil, 0, s.early(err)
	}
	if c != '{' {
		return nil, 0, s.bad(fmt.Sprintf("%q", c), "an object in the list of rows")
	}
	s.commas = true
	line := s.line
	if err := s.object(c); err != nil {
		return nil, 0, err
	}
	return s.buf, line, nil
}

// object reads up to the brace that closes the one just read. Brackets are not
// told from braces here: the JSON parser does that.
func (s *splitter) object(first byte) error {
	s.buf = append(s.buf[:0], first)
	start, depth, inString, escaped := s.line, 1, false, false
	for depth > 0 {
		c, err := s.in.ReadByte()
		if err != nil {
			return s.early(err)
		}
		if len(s.buf) == s.max {
			return s.tooLong(start)
		}
		s.buf = append(s.buf, c)
		switch {
		case c == '\n':
			s.line++
			escaped = false
		case escaped:
			escaped = false
		case c == '\\' && inString:
			escaped = true
		case c == '"':
			inString = !inString
		case inString:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		}
	}
	return nil
}

// finish makes sure that nothing follows the array.
func (s *splitter) finish() error {
	s.done = true
	c, err := s.nextByte()
	if err == nil {
		return s.bad(fmt.Sprintf("%q after the end of the list", c), "the end of the file")
	}
	return err
}

// early turns an end of file inside the array into an error with its place.
func (s *splitter) early(err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{At: Place{File: s.label, Line: s.line}, Got: "the end of the file inside the list of rows", Want: "]", Err: io.ErrUnexpectedEOF}
	}
	return err
}

package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// maxLine is the longest line in bytes that is looked at. Samples are the longest
// lines there are: 8 MiB are some million tokens.
const maxLine = 8 << 20

// tally counts the lines of a file that could not be used.
type tally struct {
	lines     int // all that are not blank
	malformed int // not a JSON object, or without what it needs
	first     int // number of the first malformed line, from 1
	long      int // longer than maxLine
	backwards int // of an earlier step than the line before
	cut       bool
}

// eachLine calls use with every line that is a JSON object. The slice is valid
// during the call. use says whether the line made sense.
func eachLine(r io.Reader, t *tally, use func(line []byte) bool) error {
	b := bufio.NewReaderSize(r, 64<<10)
	var long []byte
	for number := 1; ; number++ {
		line, whole, err := nextLine(b, &long)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		text := bytes.TrimSpace(line)
		switch {
		case !whole:
			t.lines++
			t.long++
		case len(text) == 0:
		case text[0] == '{' && json.Valid(text) && use(text):
			t.lines++
		default:
			t.lines++
			t.malformed++
			if t.first == 0 {
				t.first = number
			}
			// A run that is killed, or still writing, leaves half a line.
			t.cut = err != nil
		}
		if err != nil {
			return nil
		}
	}
}

// nextLine reads up to the next line break; whole is false for a line longer
// than maxLine, which is skipped without being kept.
func nextLine(b *bufio.Reader, long *[]byte) (line []byte, whole bool, err error) {
	line, err = b.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, true, err
	}
	*long, whole = append((*long)[:0], line...), true
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = b.ReadSlice('\n')
		if whole = whole && len(*long)+len(line) <= maxLine; whole {
			*long = append(*long, line...)
		}
	}
	return *long, whole, err
}

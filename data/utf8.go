package data

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// checkText refuses what encoding/json would silently replace by U+FFFD:
// invalid UTF-8 and escaped surrogates that stand alone.
func checkText(raw []byte) error {
	if !utf8.Valid(raw) {
		at := 0
		for at < len(raw) {
			r, size := utf8.DecodeRune(raw[at:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			at += size
		}
		return fmt.Errorf("invalid UTF-8 at byte %d of the row", at+1)
	}
	for i := bytes.IndexByte(raw, '\\'); i >= 0 && i+1 < len(raw); {
		step, ok := escape(raw[i:])
		if !ok {
			return fmt.Errorf("lone surrogate %s at byte %d of the row", raw[i:min(i+6, len(raw))], i+1)
		}
		next := bytes.IndexByte(raw[min(i+step, len(raw)):], '\\')
		if next < 0 {
			break
		}
		i += step + next
	}
	return nil
}

// escape returns the length of the escape that raw starts with, and false when
// it is half a surrogate pair.
func escape(raw []byte) (int, bool) {
	code, ok := hex4(raw)
	switch {
	case !ok:
		return 2, true
	case code >= 0xDC00 && code <= 0xDFFF:
		return 6, false
	case code >= 0xD800 && code <= 0xDBFF:
		low, ok := hex4(raw[6:])
		return 12, ok && low >= 0xDC00 && low <= 0xDFFF
	}
	return 6, true
}

// hex4 reads \uXXXX.
func hex4(raw []byte) (uint64, bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	code, err := strconv.ParseUint(string(raw[2:6]), 16, 32)
	return code, err == nil
}

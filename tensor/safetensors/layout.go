package safetensors

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Info describes a tensor that is to be written.
type Info struct {
	Name  string
	Dtype Dtype
	Shape []int // outermost first; empty for a scalar
}

// place is where a tensor goes in a file.
type place struct {
	Info
	n    int
	off  int64 // from the start of the data
	size int64
}

// measure checks one description and returns its count of elements and bytes.
func (i Info) measure() (n, size int64, err error) {
	switch {
	case i.Name == metadataKey:
		return 0, 0, fmt.Errorf("tensor %q: the name is reserved", i.Name)
	case !utf8.ValidString(i.Name):
		return 0, 0, fmt.Errorf("tensor %q: got a name that is not valid UTF-8", clip(i.Name))
	case !i.Dtype.known():
		return 0, 0, fmt.Errorf("tensor %q: got %s, want a known one", clip(i.Name), i.Dtype)
	case len(i.Shape) > maxRank:
		return 0, 0, fmt.Errorf("tensor %q: got %d dimensions, want at most %d", clip(i.Name), len(i.Shape), maxRank)
	}
	shape := make([]uint64, len(i.Shape))
	for k, d := range i.Shape {
		if d < 0 {
			return 0, 0, fmt.Errorf("tensor %q: got shape %d, want no negative dimension", clip(i.Name), i.Shape)
		}
		shape[k] = uint64(d)
	}
	un, usize, err := byteSize(i.Dtype, shape)
	if err == nil && (un > math.MaxInt) {
		err = fmt.Errorf("got shape %d, which is too large", i.Shape)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("tensor %q: %w", clip(i.Name), err)
	}
	return int64(un), int64(usize), nil
}

// layout orders tensors as the reference library does, by element type and then
// by name, and gives each its place. It reports all faults at once.
func layout(infos []Info) ([]place, error) {
	places := make([]place, 0, len(infos))
	seen := map[string]bool{}
	var errs []error
	if len(infos) > maxEntries {
		return nil, fmt.Errorf("got %d tensors, want at most %d in one file", len(infos), maxEntries)
	}
	for _, i := range infos {
		n, size, err := i.measure()
		if err == nil && seen[i.Name] {
			err = fmt.Errorf("tensor %q: got the name twice", clip(i.Name))
		}
		seen[i.Name] = true
		if err != nil {
			errs = append(errs, err)
			continue
		}
		i.Shape = slices.Clone(i.Shape)
		places = append(places, place{Info: i, n: int(n), size: size})
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(b.Dtype, a.Dtype), cmp.Compare(a.Name, b.Name))
	})
	at := int64(0)
	for i := range places {
		places[i].off = at
		if at > math.MaxInt64-places[i].size {
			return nil, errors.New("got more than 2⁶³ bytes")
		}
		at += places[i].size
	}
	return places, errors.Join(errs...)
}

// encodeHeader renders the length, the JSON header and its padding to a multiple
// of 8.
func encodeHeader(places []place, metadata map[string]string) ([]byte, error) {
	b := append(make([]byte, 8), '{')
	if len(metadata) > 0 {
		b = append(b, `"`+metadataKey+`":{`...)
		for i, k := range slices.Sorted(maps.Keys(metadata)) {
			if !utf8.ValidString(k) || !utf8.ValidString(metadata[k]) {
				return nil, fmt.Errorf("metadata %q: got text that is not valid UTF-8", clip(k))
			}
			b = comma(b, i)
			b = append(quote(b, k), ':')
			b = quote(b, metadata[k])
		}
		b = append(b, '}')
	}
	for i, p := range places {
		b = comma(b, i+min(1, len(metadata)))
		b = append(quote(b, p.Name), `:{"dtype":"`+p.Dtype.String()+`","shape":[`...)
		for k, d := range p.Shape {
			b = strconv.AppendInt(comma(b, k), int64(d), 10)
		}
		b = append(b, `],"data_offsets":[`...)
		b = strconv.AppendInt(b, p.off, 10)
		b = strconv.AppendInt(append(b, ','), p.off+p.size, 10)
		b = append(b, "]}"...)
	}
	b = append(b, '}')
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	if len(b)-8 > maxHeader || len(places)+len(metadata) > maxEntries {
		return nil, fmt.Errorf("got a header of %d bytes for %d tensors, want at most %d bytes and %d entries", len(b)-8, len(places), maxHeader, maxEntries)
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return b, nil
}

func comma(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

// quote appends a JSON string with the escapes of the reference library, which
// leaves everything but quotes, backslashes and control characters as it is.
func quote(b []byte, s string) []byte {
	const short = "\b\t\n\f\r"
	const letters = "btnfr"
	b = append(b, '"')
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		default:
			if k := strings.IndexByte(short, c); k >= 0 {
				b = append(b, '\\', letters[k])
			} else {
				b = fmt.Appendf(b, `\u%04x`, c)
			}
		}
	}
	return append(b, '"')
}

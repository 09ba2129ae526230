package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// protoField is a field of a message in the wire format of protocol buffers.
type protoField struct {
	number int
	value  uint64 // of a number
	bytes  []byte // of a text, bytes or message; nil for a number
}

var errProto = errors.New("malformed protocol buffer")

// eachField calls fn with the fields of a message in order.
func eachField(raw []byte, fn func(f protoField) error) error {
	for i := 0; i < len(raw); {
		tag, n := binary.Uvarint(raw[i:])
		if n <= 0 || tag>>3 == 0 || tag>>3 > math.MaxInt32 {
			return fmt.Errorf("%w: at byte %d: want a field", errProto, i)
		}
		start := i
		i += n
		f := protoField{number: int(tag >> 3)}
		switch tag & 7 {
		case 0:
			f.value, n = binary.Uvarint(raw[i:])
		case 1:
			if n = 8; len(raw)-i >= n {
				f.value = binary.LittleEndian.Uint64(raw[i:])
			}
		case 2:
			size, m := binary.Uvarint(raw[i:])
			if m <= 0 || size > uint64(len(raw)-i-m) {
				return fmt.Errorf("%w: field %d at byte %d: got a length beyond the end", errProto, f.number, start)
			}
			n = m + int(size)
			f.bytes = raw[i+m : i+n : i+n]
		case 5:
			if n = 4; len(raw)-i >= n {
				f.value = uint64(binary.LittleEndian.Uint32(raw[i:]))
			}
		default:
			return fmt.Errorf("%w: field %d at byte %d: got the wire type %d", errProto, f.number, start, tag&7)
		}
		if n <= 0 || n > len(raw)-i {
			return fmt.Errorf("%w: field %d at byte %d: got a number beyond the end", errProto, f.number, start)
		}
		i += n
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}

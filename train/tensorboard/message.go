package tensorboard

import (
	"encoding/binary"
	"math"
)

// Field numbers of TensorFlow's event.proto, summary.proto, tensor.proto and
// tensor_shape.proto, and the wire types that occur.
const (
	eventWallTime    = 1
	eventStep        = 2
	eventFileVersion = 3
	eventSummary     = 5
	eventSource      = 10
	sourceWriter     = 1
	summaryValue     = 1
	valueTag         = 1
	valueSimple      = 2
	valueTensor      = 8
	valueMetadata    = 9
	metadataPlugin   = 1
	pluginName       = 1
	tensorDtype      = 1
	tensorShape      = 2
	tensorStrings    = 8
	shapeDim         = 2
	dimSize          = 1
	dtypeString      = 7

	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// appendBytes appends a length-delimited field.
func appendBytes[T string | []byte](dst []byte, field byte, v T) []byte {
	dst = append(dst, field<<3|wireBytes)
	dst = binary.AppendUvarint(dst, uint64(len(v)))
	return append(dst, v...)
}

// bytesSize is the size of a length-delimited field of n bytes.
func bytesSize(n int) int {
	size := 2 + n
	for u := uint64(n); u >= 0x80; u >>= 7 {
		size++
	}
	return size
}

func appendTime(dst []byte, seconds float64) []byte {
	dst = append(dst, eventWallTime<<3|wireFixed64)
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(seconds))
}

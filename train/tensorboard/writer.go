package tensorboard

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// Writer writes records of one event file. Records are collected until Flush. It
// is not safe for concurrent use.
type Writer struct {
	w       io.Writer
	buf     []byte // complete records
	payload []byte // the message being encoded
	value   []byte // its parts
}

// NewWriter begins an event file; created is the time in seconds since 1970. It
// writes nothing before Flush.
func NewWriter(w io.Writer, created float64) *Writer {
	t := Continue(w)
	t.payload = appendTime(t.payload, created)
	t.payload = appendBytes(t.payload, eventFileVersion, "brain.Event:2")
	t.value = appendBytes(t.value[:0], sourceWriter, "tensorboard.summary.writer.event_file_writer")
	t.payload = appendBytes(t.payload, eventSource, t.value)
	t.record()
	return t
}

// Continue writes further records to a file that has begun already.
func Continue(w io.Writer) *Writer { return &Writer{w: w} }

// FileName is the name of an event file begun at a second since 1970 on a host.
func FileName(second int64, host string) string {
	return fmt.Sprintf("events.out.tfevents.%010d.%s", second, host)
}

// Scalar adds a number at a step; wall is the time in seconds since 1970. A slash
// in the tag groups charts.
func (t *Writer) Scalar(tag string, step int64, wall, value float64) {
	t.value = appendBytes(t.value[:0], valueTag, tag)
	t.value = append(t.value, valueSimple<<3|wireFixed32)
	t.value = binary.LittleEndian.AppendUint32(t.value, math.Float32bits(float32(value)))
	t.summary(step, wall)
}

// Text adds a text, which TensorBoard shows as Markdown.
func (t *Writer) Text(tag string, step int64, wall float64, text string) {
	tensor := []byte{tensorDtype << 3, dtypeString}
	tensor = appendBytes(tensor, tensorShape, []byte{shapeDim<<3 | wireBytes, 2, dimSize << 3, 1})
	tensor = appendBytes(tensor, tensorStrings, text)
	plugin := appendBytes(nil, pluginName, "text")
	t.value = appendBytes(t.value[:0], valueTag, tag+"/text_summary")
	t.value = appendBytes(t.value, valueTensor, tensor)
	t.value = appendBytes(t.value, valueMetadata, appendBytes(nil, metadataPlugin, plugin))
	t.summary(step, wall)
}

// Flush writes what was added since the last call.
func (t *Writer) Flush() error {
	if len(t.buf) == 0 {
		return nil
	}
	_, err := t.w.Write(t.buf)
	t.buf = t.buf[:0]
	return err
}

// summary wraps the value into an event.
func (t *Writer) summary(step int64, wall float64) {
	t.payload = appendTime(t.payload, wall)
	if step != 0 {
		t.payload = append(t.payload, eventStep<<3)
		t.payload = binary.AppendUvarint(t.payload, uint64(step))
	}
	inner := bytesSize(len(t.value))
	t.payload = append(t.payload, eventSummary<<3|wireBytes)
	t.payload = binary.AppendUvarint(t.payload, uint64(inner))
	t.payload = appendBytes(t.payload, summaryValue, t.value)
	t.record()
}

// record frames the payload and empties it.
func (t *Writer) record() {
	at := len(t.buf)
	t.buf = binary.LittleEndian.AppendUint64(t.buf, uint64(len(t.payload)))
	t.buf = binary.LittleEndian.AppendUint32(t.buf, maskedCRC(t.buf[at:]))
	t.buf = append(t.buf, t.payload...)
	t.buf = binary.LittleEndian.AppendUint32(t.buf, maskedCRC(t.payload))
	t.payload = t.payload[:0]
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is TensorFlow's: rotated right by 15 bits, plus a constant, so that
// checksums of data that holds checksums stay useful.
func maskedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return c>>15 | c<<17 + 0xa282ead8
}

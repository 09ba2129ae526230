package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"github.com/posttrain/posttrain/tensor/internal/scratch"
	"io"
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// Writer writes one file, tensor by tensor, in any order. The file appears
// under its name only when [Writer.Close] succeeds; until then it is a scratch
// file beside it, so a reader never sees half a file and a failure leaves an
// older file of that name as it was. A Writer is for one goroutine.
type Writer struct {
	path    string
	scratch string
	out     scratch.File
	start   int64 // of tensor data
	places  []place
	byName  map[string]int
	left    int   // tensors not yet written
	err     error // the first failure; everything fails after it
	closed  bool
}

// Create starts the file at path with a header for the given tensors. Their data
// is laid out as the reference library does: by element type, widest first, then
// by name. Metadata may be nil; PyTorch tools expect {"format": "pt"}.
func Create(path string, tensors []Info, metadata map[string]string) (*Writer, error) {
	return create(path, tensors, metadata, scratch.Create)
}

func create(path string, tensors []Info, metadata map[string]string, open func(string) (scratch.File, string, error)) (*Writer, error) {
	places, err := layout(tensors)
	var header []byte
	if err == nil {
		header, err = encodeHeader(places, metadata)
	}
	if err != nil {
		return nil, fmt.Errorf("safetensors: create %s: %w", path, err)
	}
	w := &Writer{path: path, start: int64(len(header)), places: places, byName: map[string]int{}, left: len(places)}
	for i, p := range places {
		w.byName[p.Name] = i
	}
	if w.out, w.scratch, err = open(path); err != nil {
		return nil, fmt.Errorf("safetensors: create: %w", err)
	}
	if err := w.writeAt(header, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("safetensors: create %s: header: %w", path, err), w.Abort())
	}
	return w, nil
}

// Write writes the little-endian bytes of a tensor, all of them, once.
func (w *Writer) Write(name string, data []byte) error {
	p, err := w.begin(name)
	if err != nil {
		return err
	}
	if int64(len(data)) != p.size {
		return fmt.Errorf("safetensors: %s: tensor %q: got %d bytes, want %d for shape %d of %s", w.path, clip(name), len(data), p.size, p.Shape, p.Dtype)
	}
	return w.finish(p, w.writeAt(data, w.start+p.off))
}

// narrowNumbers is how many numbers WriteFloat32 converts at a time.
const narrowNumbers = 1 << 16

// WriteFloat32 converts numbers to the tensor's type, which must be F64, F32,
// F16 or BF16, and writes them. Halves are rounded to nearest, ties to even; a
// finite number too large for the type is an error, because it would be read as
// infinite.
func (w *Writer) WriteFloat32(name string, values []float32) error {
	p, err := w.begin(name)
	if err != nil {
		return err
	}
	if len(values) != p.n {
		return fmt.Errorf("safetensors: %s: tensor %q: got %d numbers, want %d for shape %d", w.path, clip(name), len(values), p.n, p.Shape)
	}
	width := p.Dtype.Bits() / 8
	buf := make([]byte, 0, min(p.n, narrowNumbers)*width)
	half := make([]uint16, min(p.n, narrowNumbers))
	for at := 0; at < p.n; at += narrowNumbers {
		part := values[at:min(p.n, at+narrowNumbers)]
		if buf, err = narrow(buf[:0], half[:len(part)], part, p.Dtype); err != nil {
			return fmt.Errorf("safetensors: %s: tensor %q: %w", w.path, clip(name), err)
		}
		if err := w.writeAt(buf, w.start+p.off+int64(at)*int64(width)); err != nil {
			return w.finish(p, err)
		}
	}
	return w.finish(p, nil)
}

// narrow appends the encoding of values to b.
func narrow(b []byte, half []uint16, values []float32, d Dtype) ([]byte, error) {
	infinite := uint16(0x7c00)
	switch d {
	case F32:
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return b, nil
	case F64:
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(v)))
		}
		return b, nil
	case F16:
		kernel.F32ToF16(half, values)
	case BF16:
		kernel.F32ToBF16(half, values)
		infinite = 0x7f80
	default:
		return nil, fmt.Errorf("got %s, want F64, F32, F16 or BF16 to write float32 numbers", d)
	}
	for i, h := range half {
		if h&0x7fff == infinite && !math.IsInf(float64(values[i]), 0) {
			return nil, fmt.Errorf("got %v, which does not fit %s", values[i], d)
		}
		b = binary.LittleEndian.AppendUint16(b, h)
	}
	return b, nil
}

// begin finds the place of a tensor that is still to be written.
func (w *Writer) begin(name string) (*place, error) {
	if w.err != nil {
		return nil, w.err
	}
	if w.closed {
		return nil, fmt.Errorf("safetensors: %s: tensor %q: %w", w.path, clip(name), ErrClosed)
	}
	i, ok := w.byName[name]
	if !ok {
		return nil, fmt.Errorf("safetensors: %s: tensor %q: %w among the %d of the header", w.path, clip(name), ErrNotFound, len(w.places))
	}
	if w.places[i].written {
		return nil, fmt.Errorf("safetensors: %s: tensor %q: got it twice", w.path, clip(name))
	}
	return &w.places[i], nil
}

// finish marks a tensor as written, or the writer as failed.
func (w *Writer) finish(p *place, err error) error {
	if err != nil {
		w.err = fmt.Errorf("safetensors: %s: tensor %q: write: %w", w.path, clip(p.Name), err)
		return w.err
	}
	p.written = true
	w.left--
	return nil
}

func (w *Writer) writeAt(b []byte, off int64) error {
	n, err := w.out.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// Close checks that every tensor was written, forces the file to disk and gives
// it its name. On any failure the scratch file is removed and the error returned.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	err := w.seal()
	if err == nil {
		err = w.publish()
	}
	return err
}

// seal completes the scratch file and closes it.
func (w *Writer) seal() error {
	err := w.err
	if err == nil && w.left > 0 {
		err = fmt.Errorf("safetensors: %s: got %d of %d tensors, first missing %q", w.path, len(w.places)-w.left, len(w.places), clip(w.missing()))
	}
	if err == nil {
		if err = w.out.Sync(); err != nil {
			err = fmt.Errorf("safetensors: %s: sync: %w", w.path, err)
		}
	}
	if err != nil {
		w.err = err
		return errors.Join(err, w.Abort())
	}
	w.closed = true
	if err := w.out.Close(); err != nil {
		w.err = fmt.Errorf("safetensors: %s: close: %w", w.path, err)
		return errors.Join(w.err, scratch.Remove(w.scratch))
	}
	return nil
}

// publish gives a sealed file its name.
func (w *Writer) publish() error {
	if err := scratch.Rename(w.scratch, w.path); err != nil {
		w.err = fmt.Errorf("safetensors: %w", err)
		return errors.Join(w.err, scratch.Remove(w.scratch))
	}
	return nil
}

func (w *Writer) missing() string {
	for _, p := range w.places {
		if !p.written {
			return p.Name
		}
	}
	return ""
}

// Abort gives up: it removes the scratch file and leaves an older file of the
// name as it was. After Close it does nothing, so it can be deferred.
func (w *Writer) Abort() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return errors.Join(w.out.Close(), scratch.Remove(w.scratch))
}

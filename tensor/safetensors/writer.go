package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor/internal/scratch"
)

// Writer writes one file, tensor by tensor, in any order. The file appears
// under its name only when [Writer.Close] succeeds; until then it is a scratch
// file beside it, so a reader never sees half a file and a failure leaves an
// older file of that name as it was. A Writer is for one goroutine.
type Writer struct {
	file   scratch.Parts
	start  int64 // of tensor data
	places []place
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
	w := &Writer{start: int64(len(header)), places: places}
	w.file = scratch.Parts{Format: "safetensors", Path: path, ErrClosed: ErrClosed, ErrNotFound: ErrNotFound, Show: clip}
	names := make([]string, len(places))
	for i := range places {
		names[i] = places[i].Name
	}
	if err := w.file.Open(names, open); err != nil {
		return nil, fmt.Errorf("safetensors: create: %w", err)
	}
	if err := w.file.WriteAt(header, 0); err != nil {
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
		return fmt.Errorf("safetensors: %s: tensor %q: got %d bytes, want %d for shape %d of %s", w.file.Path, clip(name), len(data), p.size, p.Shape, p.Dtype)
	}
	return w.file.Finish(name, w.file.WriteAt(data, w.start+p.off))
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
		return fmt.Errorf("safetensors: %s: tensor %q: got %d numbers, want %d for shape %d", w.file.Path, clip(name), len(values), p.n, p.Shape)
	}
	width := p.Dtype.Bits() / 8
	buf := make([]byte, 0, min(p.n, narrowNumbers)*width)
	half := make([]uint16, min(p.n, narrowNumbers))
	for at := 0; at < p.n; at += narrowNumbers {
		part := values[at:min(p.n, at+narrowNumbers)]
		if buf, err = narrow(buf[:0], half[:len(part)], part, p.Dtype); err != nil {
			return fmt.Errorf("safetensors: %s: tensor %q: %w", w.file.Path, clip(name), err)
		}
		if err := w.file.WriteAt(buf, w.start+p.off+int64(at)*int64(width)); err != nil {
			return w.file.Finish(name, err)
		}
	}
	return w.file.Finish(name, nil)
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
	i, err := w.file.Begin(name)
	if err != nil {
		return nil, err
	}
	return &w.places[i], nil
}

// Close checks that every tensor was written, forces the file to disk and gives
// it its name. On any failure the scratch file is removed and the error returned.
func (w *Writer) Close() error { return w.file.Close() }

// Abort gives up: it removes the scratch file and leaves an older file of the
// name as it was. After Close it does nothing, so it can be deferred.
func (w *Writer) Abort() error { return w.file.Abort() }

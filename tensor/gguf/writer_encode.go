package gguf

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
)

// encodeNumbers is about how many numbers a goroutine encodes at a time.
const encodeNumbers = 1 << 18

// WriteFloat32 encodes numbers as the tensor's type, see [Quantize], writes them,
// and says how far they moved. Rows are encoded by several goroutines; the result
// does not depend on how many. Numbers that do not fit are an error that wraps
// [ErrRange]; the tensor is not written then and the Writer can go on.
func (w *Writer) WriteFloat32(name string, values []float32) (Loss, error) {
	p, err := w.begin(name)
	if err != nil {
		return Loss{}, err
	}
	if len(values) != p.n {
		return Loss{}, fmt.Errorf("gguf: %s: tensor %q: got %d numbers, want %d for shape %d", w.file.Path, p.Name, len(values), p.n, p.Shape)
	}
	if !p.Type.Encodes() {
		return Loss{}, fmt.Errorf("gguf: %s: tensor %q: encoding type %s is not supported", w.file.Path, p.Name, p.Type)
	}
	rows := max(1, encodeNumbers/max(1, p.row))
	step := rows * max(1, p.row)
	parts := (len(values) + step - 1) / step
	losses, errs := make([]Loss, parts), make([]error, parts)
	faults := make([]error, parts) // of the disk: they end the Writer
	inOrder(parts, func(i int) {
		x := values[i*step : min(len(values), (i+1)*step)]
		b := make([]byte, len(x)/p.Type.BlockLen()*p.Type.BlockSize())
		if errs[i] = quantize(b, p.Type, x); errs[i] != nil {
			return
		}
		back := make([]float32, len(x))
		layouts[p.Type].decode(back, b)
		losses[i] = Compare(x, back)
		at := int64(i) * int64(step/p.Type.BlockLen()*p.Type.BlockSize())
		faults[i] = w.file.WriteAt(b, w.start+p.off+at)
	})
	return w.sum(p, losses, errs, faults, step)
}

// sum joins what the parts of a tensor became.
func (w *Writer) sum(p *place, losses []Loss, errs, faults []error, step int) (total Loss, err error) {
	for i, e := range errs {
		if e != nil {
			return Loss{}, fmt.Errorf("gguf: %s: tensor %q: from number %d on: %w", w.file.Path, p.Name, i*step, e)
		}
		total.Add(losses[i])
	}
	if err := w.file.Finish(p.Name, errors.Join(faults...)); err != nil {
		return Loss{}, err
	}
	return total, nil
}

// inOrder runs fn for 0 to n-1 on as many goroutines as there are processors.
func inOrder(n int, fn func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				fn(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

package train

import (
	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor"
)

// chunkElements is the grain in which parameters are worked on: large enough
// to hide the cost of a claim, and a multiple of the block in which kernel sums
// squares, so that cutting there changes no bit.
const chunkElements = 1 << 16

// span is a range of one slot's elements.
type span struct{ slot, lo, hi int }

// appendSpans cuts n elements of a slot into spans.
func appendSpans(spans []span, slot, n int) []span {
	for lo := 0; lo < n; lo += chunkElements {
		spans = append(spans, span{slot, lo, min(lo+chunkElements, n)})
	}
	return spans
}

// runChunks runs every chunk of a task, on the device's cores when there is one.
func runChunks(device *tensor.Device, t kernel.Task, chunks int) {
	if device != nil {
		device.Parallel(t, chunks)
		return
	}
	for c := range chunks {
		t.Do(c, 0)
	}
}

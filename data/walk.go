package data

import (
	"fmt"
	"io"
)

// Walk visits the numbers 0 to n−1 epoch after epoch, each in an order of its own
// that depends on the seed alone ([Permutation]): what batchers of any kind of
// example have in common. It is not safe for concurrent use.
type Walk struct {
	n       int
	opts    WalkOptions
	cursor  Cursor
	order   []int32 // of the epoch ordered
	ordered int     // -1 = none yet
}

// WalkOptions steer a Walk. The zero value is endless and shuffled.
type WalkOptions struct {
	Seed       uint64 // chooses the orders
	Epochs     int    // ends the walk after so many; 0 means never
	Sequential bool   // keeps the order in every epoch
}

// NewWalk returns a Walk over n items at the start of the first epoch.
func NewWalk(n int, o WalkOptions) *Walk { return &Walk{n: n, opts: o, ordered: -1} }

// Cursor returns the place before the next item.
func (w *Walk) Cursor() Cursor { return w.cursor }

// Seek moves to a cursor that Cursor returned, of a Walk over as many items with
// the same options: it goes on as that one would have.
func (w *Walk) Seek(c Cursor) error {
	if len(c.Parts) > 0 || c.Epoch < 0 || c.Position < 0 || c.Position >= w.n || w.opts.Epochs > 0 && (c.Epoch > w.opts.Epochs || c.Epoch == w.opts.Epochs && c.Position > 0) {
		return fmt.Errorf("data: Seek: got %+v, want a place in %d epochs (0: any) of %d examples", c, w.opts.Epochs, w.n)
	}
	w.cursor = c
	return nil
}

// Rest lists what is left of the epoch, never nothing, or returns io.EOF after the
// last. It is valid until the next call.
func (w *Walk) Rest() ([]int32, error) {
	if w.opts.Epochs > 0 && w.cursor.Epoch >= w.opts.Epochs {
		return nil, io.EOF
	}
	return w.Order(w.cursor.Epoch)[w.cursor.Position:], nil
}

// Advance moves over k items of the epoch and returns how many epochs are finished
// then, with the share of the one under way.
func (w *Walk) Advance(k int) float64 {
	if w.cursor.Position += k; w.cursor.Position >= w.n {
		w.cursor = Cursor{Epoch: w.cursor.Epoch + 1}
	}
	return float64(w.cursor.Epoch) + float64(w.cursor.Position)/float64(w.n)
}

// Take moves over the next step and returns its items, with how many epochs are
// finished then, or io.EOF after the last; span is as in Steps, but never 0. The
// items are valid until the order of another epoch is asked for.
func (w *Walk) Take(span func(rest []int32) int) (items []int32, epoch float64, err error) {
	rest, err := w.Rest()
	if err != nil {
		return nil, 0, err
	}
	items = rest[:span(rest)]
	return items, w.Advance(len(items)), nil
}

// Steps counts the steps of the first epochs epochs, or of all there are, where
// span says how many of the items that are left in an epoch make a step; 0 ends
// the epoch.
func (w *Walk) Steps(epochs int, span func(rest []int32) int) int {
	if w.opts.Epochs > 0 {
		epochs = min(epochs, w.opts.Epochs)
	}
	steps := 0
	for epoch := range epochs {
		for rest := w.Order(epoch); len(rest) > 0; steps++ {
			k := span(rest)
			if k == 0 {
				break
			}
			rest = rest[k:]
		}
	}
	return steps
}

// Order is the order of an epoch. It is valid until the order of another is asked
// for.
func (w *Walk) Order(epoch int) []int32 {
	switch {
	case w.ordered == epoch:
	case !w.opts.Sequential:
		w.order = Permutation(w.order, w.n, w.opts.Seed, uint64(epoch))
	case w.ordered < 0:
		w.order = make([]int32, w.n)
		for i := range w.order {
			w.order[i] = int32(i)
		}
	}
	w.ordered = epoch
	return w.order
}

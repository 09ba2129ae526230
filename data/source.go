package data

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
)

// Source is a sequence that can be walked over any number of times. Every call
// of All starts at the first item. After an error the sequence ends.
type Source[T any] interface {
	All() iter.Seq2[T, error]
}

// SourceFunc makes a Source of a function that starts a fresh iteration.
type SourceFunc[T any] func() iter.Seq2[T, error]

// All calls f.
func (f SourceFunc[T]) All() iter.Seq2[T, error] { return f() }

// Slice is a Source over items in memory.
type Slice[T any] []T

// All yields the items in order and never an error.
func (s Slice[T]) All() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range s {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// Limit returns the first n items of src; n ≤ 0 means all of them.
func Limit[T any](src Source[T], n int) Source[T] {
	if n <= 0 {
		return src
	}
	return SourceFunc[T](func() iter.Seq2[T, error] {
		return func(yield func(T, error) bool) {
			left := n
			for item, err := range src.All() {
				if !yield(item, err) || err != nil {
					return
				}
				if left--; left == 0 {
					return
				}
			}
		}
	})
}

// Each calls f for every item of src until it fails or the source does. Cancelling
// ctx ends the walk between two items.
func Each[T any](ctx context.Context, src Source[T], f func(item T) error) error {
	for item, err := range src.All() {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = f(item)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Collect reads the whole source into memory.
func Collect[T any](src Source[T]) ([]T, error) {
	var items []T
	for item, err := range src.All() {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// Shuffle returns the items in the order that [Permutation] gives for the seed
// and epoch. The argument is left alone.
func Shuffle[T any](items []T, seed, epoch uint64) []T {
	order := Permutation(nil, len(items), seed, epoch)
	shuffled := make([]T, len(items))
	for i, from := range order {
		shuffled[i] = items[from]
	}
	return shuffled
}

// Split holds out a share of the items, chosen by the seed alone, and returns
// both parts in their original order. The held-out part has round(share·n)
// items, but at least one item stays on each side when share is above 0 and
// there are two or more. It fails when share is not in [0, 1).
func Split[T any](items []T, share float64, seed uint64) (train, held []T, err error) {
	if !(share >= 0 && share < 1) {
		return nil, nil, fmt.Errorf("data: split: got share %v, want a number in [0, 1)", share)
	}
	n := len(items)
	if share == 0 || n < 2 {
		return slices.Clone(items), nil, nil
	}
	count := min(max(int(math.Round(share*float64(n))), 1), n-1)
	out := make([]bool, n)
	for _, i := range Permutation(nil, n, seed, splitStream)[:count] {
		out[i] = true
	}
	for i, item := range items {
		if out[i] {
			held = append(held, item)
		} else {
			train = append(train, item)
		}
	}
	return train, held, nil
}

// splitStream keeps the split's permutation apart from those of all epochs.
const splitStream = math.MaxUint64

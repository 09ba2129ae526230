package data

import (
	"fmt"
	"iter"
)

// Weighted is a source to mix with others.
type Weighted[T any] struct {
	Source Source[T]
	Weight float64 // share of the items, in relation to the other weights; 0 means 1
}

// InterleaveOptions steer [Interleave]. The zero value is the default.
type InterleaveOptions struct {
	Seed uint64 // chooses whose turn it is
	// UntilAll goes on until every source came to its end, beginning shorter ones
	// anew; otherwise the mix ends with the first source that does, as the datasets
	// library's first_exhausted.
	UntilAll bool
}

// Interleave mixes sources: each item is the next of source i with probability
// weight i / Σ weights. The order depends on seed, weights and sources alone. It
// walks over all sources at a time. For files larger than memory, with a cursor,
// there is [Stream].
func Interleave[T any](o InterleaveOptions, sources ...Weighted[T]) (Source[T], error) {
	weights := make([]float64, len(sources))
	for i, s := range sources {
		if !(s.Weight >= 0) || s.Source == nil {
			return nil, fmt.Errorf("data: Interleave: source %d: got weight %v and source %v, want a number from 0 on and a source", i, s.Weight, s.Source)
		}
		weights[i] = s.Weight
		setDefaultWeight(&weights[i])
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("data: Interleave: got no source, want at least one")
	}
	return SourceFunc[T](func() iter.Seq2[T, error] {
		return func(yield func(T, error) bool) { interleave(o, sources, weights, yield) }
	}), nil
}

// turn is one of the sources of a walk.
type turn[T any] struct {
	next  func() (T, error, bool)
	stop  func()
	given int // items of this walk over it
	ended bool
}

func interleave[T any](o InterleaveOptions, sources []Weighted[T], weights []float64, yield func(T, error) bool) {
	turns := make([]turn[T], len(sources))
	for i := range turns {
		turns[i].next, turns[i].stop = iter.Pull2(sources[i].Source.All())
		defer func() { turns[i].stop() }()
	}
	left := len(turns)
	for n := uint64(0); ; {
		i := pick(weights, mix(o.Seed, n))
		t := &turns[i]
		item, err, ok := t.next()
		if ok {
			n++
			t.given++
			if !yield(item, err) || err != nil {
				return
			}
			continue
		}
		if !t.ended {
			t.ended = true
			left--
		}
		if !o.UntilAll || left == 0 || t.given == 0 {
			return
		}
		t.stop()
		t.next, t.stop = iter.Pull2(sources[i].Source.All())
		t.given = 0
	}
}

// pick returns i with probability weights[i] / Σ weights, for a random number.
func pick(weights []float64, random uint64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	const bits = 53
	u := float64(random>>(64-bits)) / (1 << bits) * sum
	for i, w := range weights {
		if u -= w; u < 0 {
			return i
		}
	}
	return len(weights) - 1
}

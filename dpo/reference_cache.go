package dpo

import (
	"context"
	"fmt"
)

// cache holds the log-probabilities of every target of every example of a source,
// in the order in which a micro-batch lists them.
type cache struct {
	examples [][]float64
	isa      string // that computed them, where they come from a file
}

// Lister is a source that can walk over all it has, so that log-probabilities can
// be computed beforehand. Batcher is one.
type Lister interface {
	// Examples is the number of examples that data.Packed.Examples counts.
	Examples() int
	// Walk yields every example once, in micro-batches of at most so many pairs.
	// The segments of an example stand together.
	Walk(pairs int) (StepSource, error)
	// Fingerprint names the examples.
	DataFingerprint() string
	// Layout says how micro-batches are packed, on which the last bits depend.
	Layout() string
}

// Examples is the number of pairs.
func (b *Batcher) Examples() int { return len(b.pairs) }

// Walk yields every pair once, packed as b packs them; see Lister.
func (b *Batcher) Walk(pairs int) (StepSource, error) {
	return NewBatcher(b.pairs, BatchOptions{PairsPerStep: pairs, TokensPerMicro: b.opts.TokensPerMicro, Separate: b.opts.Separate, Epochs: 1, Sequential: true})
}

// DataFingerprint is the Fingerprint of the pairs alone.
func (b *Batcher) DataFingerprint() string { return Fingerprint(b.pairs) }

// Layout says how pairs are packed.
func (b *Batcher) Layout() string {
	return fmt.Sprintf("micro-batches of %d tokens, separate %t", b.opts.TokensPerMicro, b.opts.Separate)
}

// newCache scores all examples of a source, or reads them from the reference's
// file.
func newCache(s scorer, f *Frozen, capacity size, src any) (*cache, error) {
	from, ok := src.(Lister)
	if !ok {
		return nil, fmt.Errorf("dpo: Reference: got a source (%T) that cannot list its pairs, so that their log-probabilities cannot be computed beforehand; want a Batcher, an adapter, or Reference.Model", src)
	}
	if f.file == "" {
		return fillCache(s, from, capacity.pairs)
	}
	return openCache(s, f, from, capacity)
}

// fillCache computes the log-probabilities.
func fillCache(s scorer, from Lister, pairs int) (*cache, error) {
	walk, err := from.Walk(pairs)
	if err != nil {
		return nil, err
	}
	return collect(context.Background(), s, walk, from.Examples())
}

// put keeps the log-probabilities of a micro-batch.
func (c *cache) put(b *Batch, all []float64) error {
	if len(b.Examples) != len(b.TargetEnds) || len(all) != len(b.Targets) {
		return fmt.Errorf("dpo: reference: got a micro-batch of %d segments with %d ends and %d of %d log-probabilities", len(b.Examples), len(b.TargetEnds), len(all), len(b.Targets))
	}
	at := int32(0)
	for s, i := range b.Examples {
		if i < 0 || int(i) >= len(c.examples) {
			return fmt.Errorf("dpo: reference: got example %d, want one of %d", i, len(c.examples))
		}
		c.examples[i] = append(c.examples[i], all[at:b.TargetEnds[s]]...)
		at = b.TargetEnds[s]
	}
	return nil
}

func (c *cache) score(dst []float64, b *Batch) ([]float64, error) {
	from := len(dst)
	for s, i := range b.Examples {
		if s > 0 && b.Examples[s-1] == i {
			continue // another segment of the same example
		}
		if i < 0 || int(i) >= len(c.examples) {
			return dst, fmt.Errorf("dpo: reference: got pair %d, want one of the %d whose log-probabilities are known", i, len(c.examples))
		}
		dst = append(dst, c.examples[i]...)
	}
	if got := len(dst) - from; got != len(b.Targets) {
		return dst, fmt.Errorf("dpo: reference: got %d log-probabilities of a micro-batch's pairs, want %d", got, len(b.Targets))
	}
	return dst, nil
}

var _ Lister = (*Batcher)(nil)

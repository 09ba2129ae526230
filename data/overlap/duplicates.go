package overlap

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
)

// DuplicateOptions steer [NewDuplicates]. The zero value is the default.
type DuplicateOptions struct {
	// Words is the length of the runs of words that texts are compared by
	// (default 5, as in Lee et al. 2021). A text with fewer words is one run.
	Words int
	// Threshold is the share of runs in common (Jaccard similarity: those in both
	// texts of those in any) from which on texts are near duplicates (default 0.8).
	Threshold float64
	// Hashes is the number of hash functions: the similarity is estimated with a
	// standard error of at most 1/(2√Hashes) (default 128).
	Hashes int
	// Seed chooses the hash functions.
	Seed uint64
	// ExactOnly leaves near duplicates out.
	ExactOnly bool
}

// Validate reports every field that makes no sense.
func (o DuplicateOptions) Validate() error {
	var errs []error
	if o.Words < 0 {
		errs = append(errs, fmt.Errorf("overlap: DuplicateOptions.Words: got %d, want 0 (default) or more", o.Words))
	}
	if !(o.Threshold >= 0 && o.Threshold <= 1) {
		errs = append(errs, fmt.Errorf("overlap: DuplicateOptions.Threshold: got %v, want a number in [0, 1]", o.Threshold))
	}
	if o.Hashes < 0 || o.Hashes > 4096 {
		errs = append(errs, fmt.Errorf("overlap: DuplicateOptions.Hashes: got %d, want at most 4096", o.Hashes))
	}
	return errors.Join(errs...)
}

// Match says what a text repeats.
type Match struct {
	// Of is the number of the earlier text, counted from 0 in the order of Add, or
	// -1 for a text that is new.
	Of int
	// Exact is true when both are equal byte for byte.
	Exact bool
	// Similarity is the estimated share of runs in common, 1 when Exact.
	Similarity float64
}

// Duplicates finds texts that were there before. It is not safe for concurrent use.
type Duplicates struct {
	opts  DuplicateOptions
	bands int      // groups of hashes; texts that agree on one group are compared
	rows  int      // hashes in a group
	seeds []uint64 // factor and summand of each hash function

	count   int
	exact   map[[16]byte]int32 // of every text kept
	buckets map[uint64][]int32 // by band and its hashes: numbers in kept
	kept    []int32            // text numbers
	minima  []uint32           // (kept, Hashes)

	words []uint64
	own   []uint32
}

// NewDuplicates returns an empty Duplicates.
func NewDuplicates(o DuplicateOptions) (*Duplicates, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Words == 0 {
		o.Words = 5
	}
	if o.Threshold == 0 {
		o.Threshold = 0.8
	}
	if o.Hashes == 0 {
		o.Hashes = 128
	}
	d := &Duplicates{opts: o, exact: map[[16]byte]int32{}, buckets: map[uint64][]int32{}, own: make([]uint32, o.Hashes)}
	d.bands, d.rows = banding(o.Hashes, o.Threshold)
	for i := range o.Hashes {
		d.seeds = append(d.seeds, mix(o.Seed, uint64(2*i))|1, mix(o.Seed, uint64(2*i+1)))
	}
	return d, nil
}

// Add takes the next text and says whether it repeats an earlier one that was new
// itself: the equal one, else the most similar of at least Threshold, else none.
func (d *Duplicates) Add(text string) Match {
	number := int32(d.count)
	d.count++
	sum := sha256.Sum256([]byte(text))
	key := [16]byte(sum[:16])
	if of, ok := d.exact[key]; ok {
		return Match{Of: int(of), Exact: true, Similarity: 1}
	}
	if !d.opts.ExactOnly {
		d.words = appendWords(d.words[:0], text)
		d.sign()
		if m := d.nearest(); m.Of >= 0 {
			return m
		}
		d.keep(number)
	}
	d.exact[key] = number
	return Match{Of: -1}
}

// sign computes the text's minima: of each hash function, the least value over all
// runs of words. Two texts have the same with a probability that is their
// similarity (Broder 1997).
func (d *Duplicates) sign() {
	for i := range d.own {
		d.own[i] = math.MaxUint32
	}
	n := min(d.opts.Words, len(d.words))
	if n == 0 {
		return
	}
	runsOf(d.words, n, func(hash uint64) {
		for i := range d.own {
			// Multiply-shift (Dietzfelbinger et al. 1997); hash is mixed already.
			if h := uint32((hash*d.seeds[2*i] + d.seeds[2*i+1]) >> 32); h < d.own[i] {
				d.own[i] = h
			}
		}
	})
}

// bucket hashes a band of the text's minima.
func (d *Duplicates) bucket(band int) uint64 {
	hash := uint64(band)
	for _, h := range d.own[band*d.rows : (band+1)*d.rows] {
		hash = mix(hash, uint64(h))
	}
	return hash
}

// nearest compares the text with the kept ones that share a bucket with it.
func (d *Duplicates) nearest() Match {
	best := Match{Of: -1}
	if len(d.words) == 0 {
		return best
	}
	var seen []int32
	for band := range d.bands {
		for _, k := range d.buckets[d.bucket(band)] {
			if slices.Contains(seen, k) {
				continue
			}
			seen = append(seen, k)
			s := d.similarity(int(k))
			of := int(d.kept[k])
			if s >= d.opts.Threshold && (s > best.Similarity || s == best.Similarity && of < best.Of) {
				best = Match{Of: of, Similarity: s}
			}
		}
	}
	return best
}

// similarity estimates what the text has in common with a kept one.
func (d *Duplicates) similarity(k int) float64 {
	same := 0
	for i, h := range d.minima[k*d.opts.Hashes : (k+1)*d.opts.Hashes] {
		if h == d.own[i] {
			same++
		}
	}
	return float64(same) / float64(d.opts.Hashes)
}

// keep files the text under its buckets.
func (d *Duplicates) keep(number int32) {
	if len(d.words) == 0 {
		return
	}
	k := int32(len(d.kept))
	d.kept = append(d.kept, number)
	d.minima = append(d.minima, d.own...)
	for band := range d.bands {
		b := d.bucket(band)
		d.buckets[b] = append(d.buckets[b], k)
	}
}

// banding cuts hashes into bands of rows so that pairs become candidates from
// about the threshold on: a pair of similarity s agrees on some band with
// probability 1−(1−s^rows)^bands. Chosen is the cut with the least sum of the areas
// of misses above and idle candidates below the threshold; misses count nine times,
// as candidates are compared anyway.
func banding(hashes int, threshold float64) (bands, rows int) {
	const steps, missWeight = 200, 9
	least := math.Inf(1)
	for r := 1; r <= hashes; r++ {
		b := hashes / r
		cost := 0.0
		for i := range steps {
			s := (float64(i) + 0.5) / steps
			found := 1 - math.Pow(1-math.Pow(s, float64(r)), float64(b))
			if s >= threshold {
				cost += missWeight * (1 - found)
			} else {
				cost += found
			}
		}
		if cost < least {
			least, bands, rows = cost, b, r
		}
	}
	return bands, rows
}

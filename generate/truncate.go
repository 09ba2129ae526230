package generate

import (
	"math"
	"slices"

	"github.com/posttrain/posttrain/internal/kernel"
)

// candidate is a token that survives truncation.
type candidate struct {
	id      int32
	shifted float64 // (logit − largest) / temperature
	mass    float64 // exp(shifted): the probability, not normalised
}

func massOf(kept []candidate) float64 {
	total := 0.0
	for i := range kept {
		total += kept[i].mass
	}
	return total
}

// truncate leaves in s.kept the tokens that top-k, top-p and min-p allow. The
// vocabulary is read a few times and never sorted: only logits above a floor
// below which none can survive become candidates.
func (s *sampler) truncate(logits []float32, best int) {
	o := &s.opt
	floor, total := math.Inf(-1), 0.0
	topK := o.TopK > 0 && o.TopK < len(logits)
	switch {
	case topK:
		floor = float64(s.kthLargest(logits, o.TopK))
	case o.TopP < 1:
		total = s.totalMass(logits, best)
		floor = topPFloor(o, float64(logits[best]), total, len(logits))
	}
	if !topK && o.MinP > 0 {
		floor = max(floor, float64(logits[best])+o.Temperature*math.Log(o.MinP)-minPSlack)
	}
	s.gather(logits, best, floor)
	if topK {
		total = massOf(s.kept)
	}
	if o.TopP < 1 {
		s.kept = topP(s.kept, o.TopP*total)
	}
	if o.MinP > 0 {
		s.kept = minP(s.kept, o.MinP)
	}
}

// totalMass is Σ exp((logit − largest)/temperature) over the vocabulary.
func (s *sampler) totalMass(logits []float32, best int) float64 {
	scaled := s.scaled(logits)
	return float64(kernel.SumExpShift(scaled, scaled[best]))
}

// topPFloor is a logit so low that all tokens below it together have less than
// half of the mass that top-p leaves out: each of n tokens has less than
// exp((floor − largest)/temperature).
func topPFloor(o *Options, largest, total float64, n int) float64 {
	return largest - o.Temperature*math.Log(2*float64(n)/((1-o.TopP)*total))
}

// minPSlack keeps rounding from deciding what min-p decides.
const minPSlack = 1e-3

// gather makes candidates of the logits from floor on.
func (s *sampler) gather(logits []float32, best int, floor float64) {
	s.kept = s.kept[:0]
	largest := float64(logits[best])
	for lo := 0; lo < len(logits); lo += sampleBlock {
		block := logits[lo:min(lo+sampleBlock, len(logits))]
		if float64(kernel.Max(block)) < floor {
			continue
		}
		for i, x := range block {
			if x := float64(x); x >= floor && !math.IsInf(x, -1) {
				shifted := (x - largest) / s.opt.Temperature
				s.kept = append(s.kept, candidate{int32(lo + i), shifted, math.Exp(shifted)})
			}
		}
	}
}

// kthLargest is the k-th largest logit. All tokens that have it survive top-k, so
// more than k may.
//
// Fan et al. 2018, arXiv:1805.04833; ties as in transformers.
func (s *sampler) kthLargest(logits []float32, k int) float32 {
	h := append(s.heap[:0], logits[:k]...) // the smallest is at the root
	for i := k/2 - 1; i >= 0; i-- {
		siftDown(h, i)
	}
	for lo := k; lo < len(logits); lo += sampleBlock {
		block := logits[lo:min(lo+sampleBlock, len(logits))]
		if kernel.Max(block) <= h[0] {
			continue
		}
		for _, x := range block {
			if x > h[0] {
				h[0] = x
				siftDown(h, 0)
			}
		}
	}
	s.heap = h
	return h[0]
}

// siftDown restores the order of a heap whose element i may be too large.
func siftDown(h []float32, i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if h[i] <= h[child] {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// minP keeps candidates with at least p times the largest probability, that is,
// mass.
//
// Nguyen et al. 2024, arXiv:2407.01082.
func minP(kept []candidate, p float64) []candidate {
	return slices.DeleteFunc(kept, func(c candidate) bool { return c.mass < p })
}

// topP keeps the likeliest candidates until their mass reaches need, the one that
// crosses it included; at least one. Of equally likely ones the first ids stay.
// It narrows the place of the cut down as quickselect does, so it takes linear
// time.
//
// Holtzman et al. 2019, arXiv:1904.09751.
func topP(kept []candidate, need float64) []candidate {
	need = max(need, math.SmallestNonzeroFloat64)
	lo, hi, mass := 0, len(kept), 0.0 // the cut is in lo to hi, mass stands before lo
	for hi-lo > 16 {
		at := lo + partition(kept[lo:hi])
		before := mass + massOf(kept[lo:at])
		switch {
		case before >= need:
			hi = at
		case before+kept[at].mass >= need:
			return kept[:at+1]
		default:
			lo, mass = at+1, before+kept[at].mass
		}
	}
	slices.SortFunc(kept[lo:hi], likelier)
	for i := lo; i < hi; i++ {
		if mass += kept[i].mass; mass >= need {
			return kept[:i+1]
		}
	}
	return kept[:hi]
}

// partition moves candidates that are likelier than a pivot before it and the
// others behind it, and returns the place of the pivot: the median of three.
func partition(c []candidate) int {
	mid, last := len(c)/2, len(c)-1
	for _, p := range [][2]int{{0, mid}, {mid, last}, {0, mid}} {
		if likelier(c[p[1]], c[p[0]]) < 0 {
			c[p[0]], c[p[1]] = c[p[1]], c[p[0]]
		}
	}
	c[mid], c[last] = c[last], c[mid]
	at := 0
	for i := range last {
		if likelier(c[i], c[last]) < 0 {
			c[i], c[at] = c[at], c[i]
			at++
		}
	}
	c[at], c[last] = c[last], c[at]
	return at
}

// likelier orders candidates from likely to unlikely, ties by id.
func likelier(a, b candidate) int {
	switch {
	case a.shifted > b.shifted:
		return -1
	case a.shifted < b.shifted:
		return 1
	}
	return int(a.id - b.id)
}

package generate

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// sampler picks tokens from logits. It keeps working memory between calls and
// belongs to one goroutine.
type sampler struct {
	opt    Options
	kept   []candidate
	heap   []float32 // the largest logits seen, for top-k
	exps   []float32 // (V) exponentials of scaled logits
	blocks []float64 // their sums by block
}

// samplePurpose keeps sampling's random numbers apart from those of dropout,
// shuffling and initialisation.
const samplePurpose = 0x5a4d

// pick chooses a token from raw logits (V). The raw log-probability is
// logit − log Σ exp(logit). Order of truncation: temperature, top-k, top-p,
// min-p, each on the distribution that the one before left, as in transformers.
func (s *sampler) pick(logits []float32, sequence uint32, position uint64) (Token, error) {
	best := kernel.ArgMax(logits)
	largest := logits[best]
	if largest-largest != 0 { // NaN or an infinity
		return Token{}, ErrNotFinite
	}
	lse := float64(largest) + math.Log(float64(kernel.SumExpShift(logits, largest)))
	t := Token{ID: int32(best)}
	if s.opt.Temperature > 0 {
		u := uniform(s.opt.Seed, sequence, position)
		if s.opt.TopK == 0 && s.opt.TopP == 1 && s.opt.MinP == 0 {
			t.ID, t.SamplerLogProb = s.drawAny(logits, best, u)
		} else {
			s.truncate(logits, best)
			t.ID, t.SamplerLogProb = draw(s.kept, u)
		}
	}
	t.LogProb = float64(logits[t.ID]) - lse
	return t, nil
}

// uniform is a number in [0,1), a multiple of 2⁻⁵³: finer than any probability
// of a large vocabulary.
func uniform(seed uint64, sequence uint32, position uint64) float64 {
	w := kernel.Philox(seed, [4]uint32{uint32(position), uint32(position >> 32), sequence, samplePurpose})
	return float64((uint64(w[0])<<32|uint64(w[1]))>>11) / (1 << 53)
}

// sampleBlock is the number of logits handled at once.
const sampleBlock = 512

// drawAny samples from the whole vocabulary: it inverts the cumulative
// distribution at u, block by block.
func (s *sampler) drawAny(logits []float32, best int, u float64) (id int32, logProb float64) {
	exps := s.scaled(logits)
	s.blocks = s.blocks[:0]
	shift, total := exps[best], 0.0
	for lo := 0; lo < len(exps); lo += sampleBlock {
		block := exps[lo:min(lo+sampleBlock, len(exps))]
		kernel.ExpShift(block, block, shift)
		sum := sum64(block)
		s.blocks = append(s.blocks, sum)
		total += sum
	}
	id = int32(s.invert(u*total, best))
	x := (float64(logits[id]) - float64(logits[best])) / s.opt.Temperature
	return id, x - math.Log(total)
}

// sum64 adds up in float64, so that unlikely tokens keep their share beside
// likely ones.
func sum64(x []float32) float64 {
	var lane [4]float64
	n := len(x) &^ 3
	for i := 0; i < n; i += 4 {
		lane[0] += float64(x[i])
		lane[1] += float64(x[i+1])
		lane[2] += float64(x[i+2])
		lane[3] += float64(x[i+3])
	}
	for _, v := range x[n:] {
		lane[0] += float64(v)
	}
	return lane[0] + lane[1] + lane[2] + lane[3]
}

// scaled copies the logits, divided by the temperature.
func (s *sampler) scaled(logits []float32) []float32 {
	if cap(s.exps) < len(logits) {
		s.exps = make([]float32, len(logits))
	}
	s.exps = s.exps[:len(logits)]
	kernel.Scale(s.exps, logits, float32(1/s.opt.Temperature))
	return s.exps
}

// invert finds the token in whose share of the total mass falls. Where rounding
// leaves none, that is the last with any mass, or best.
func (s *sampler) invert(mass float64, best int) int {
	last := best
	for b, sum := range s.blocks {
		if mass >= sum && b < len(s.blocks)-1 {
			mass -= sum
			continue
		}
		lo := b * sampleBlock
		for i, e := range s.exps[lo:min(lo+sampleBlock, len(s.exps))] {
			if e == 0 {
				continue
			}
			if last = lo + i; mass < float64(e) {
				return last
			}
			mass -= float64(e)
		}
	}
	return last
}

// draw inverts the cumulative distribution of the candidates at u in [0,1).
func draw(kept []candidate, u float64) (id int32, logProb float64) {
	mass, total := 0.0, massOf(kept)
	c := kept[len(kept)-1]
	for _, c = range kept {
		if mass += c.mass; u*total < mass {
			break
		}
	}
	return c.id, c.shifted - math.Log(total)
}

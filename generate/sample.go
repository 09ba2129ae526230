package generate

import (
	"math"
	"slices"

	"github.com/posttrain/posttrain/internal/kernel"
)

// sampler picks tokens from logits. It keeps working memory between calls and
// belongs to one goroutine.
type sampler struct {
	opt   Options
	order []candidate
}

// candidate is a token that survives truncation.
type candidate struct {
	id    int32
	logit float64 // divided by the temperature
	p     float64
}

// pick chooses a token from raw logits (V). The raw log-probability is
// logit − log Σ exp(logit), in float64. Order of truncation: temperature, top-k,
// top-p, min-p, as in transformers.
func (s *sampler) pick(logits []float32, sequence, position int) Token {
	best, lse := argMaxLSE(logits)
	if s.opt.Temperature == 0 {
		return Token{ID: best, LogProb: float64(logits[best]) - lse}
	}
	s.gather(logits)
	s.topK()
	s.normalise()
	s.topP()
	s.minP()
	u := float64(kernel.Uniform(s.opt.Seed, samplePurpose, uint32(sequence), uint64(position)))
	c := s.draw(u)
	return Token{ID: c.id, LogProb: float64(logits[c.id]) - lse, SamplerLogProb: math.Log(c.p)}
}

// samplePurpose keeps sampling's random numbers apart from those of dropout,
// shuffling and initialisation.
const samplePurpose = 0x5a4d

func argMaxLSE(logits []float32) (int32, float64) {
	best := 0
	for i, x := range logits {
		if x > logits[best] {
			best = i
		}
	}
	m, sum := float64(logits[best]), 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x) - m)
	}
	return int32(best), m + math.Log(sum)
}

func (s *sampler) gather(logits []float32) {
	s.order = s.order[:0]
	for i, x := range logits {
		if !math.IsInf(float64(x), -1) {
			s.order = append(s.order, candidate{id: int32(i), logit: float64(x) / s.opt.Temperature})
		}
	}
}

// topK keeps the k largest logits and those equal to the k-th.
func (s *sampler) topK() {
	k := s.opt.TopK
	if k == 0 || k >= len(s.order) {
		return
	}
	s.sort()
	last := s.order[k-1].logit
	for k < len(s.order) && s.order[k].logit == last {
		k++
	}
	s.order = s.order[:k]
}

// sort orders candidates from likely to unlikely, ties by id.
func (s *sampler) sort() {
	slices.SortFunc(s.order, func(a, b candidate) int {
		switch {
		case a.logit > b.logit:
			return -1
		case a.logit < b.logit:
			return 1
		}
		return int(a.id) - int(b.id)
	})
}

// normalise fills in probabilities over the candidates.
func (s *sampler) normalise() {
	m := math.Inf(-1)
	for _, c := range s.order {
		m = math.Max(m, c.logit)
	}
	sum := 0.0
	for i := range s.order {
		s.order[i].p = math.Exp(s.order[i].logit - m)
		sum += s.order[i].p
	}
	for i := range s.order {
		s.order[i].p /= sum
	}
}

// topP keeps the likeliest candidates until their mass reaches p; at least one.
//
// Holtzman et al. 2019, arXiv:1904.09751.
func (s *sampler) topP() {
	if s.opt.TopP >= 1 {
		return
	}
	s.sort()
	mass := 0.0
	for i := range s.order {
		mass += s.order[i].p
		if mass >= s.opt.TopP {
			s.order = s.order[:i+1]
			break
		}
	}
	s.normalise()
}

// minP keeps candidates with at least MinP times the largest probability.
//
// Nguyen et al. 2024, arXiv:2407.01082.
func (s *sampler) minP() {
	if s.opt.MinP == 0 {
		return
	}
	top := 0.0
	for _, c := range s.order {
		top = math.Max(top, c.p)
	}
	s.order = slices.DeleteFunc(s.order, func(c candidate) bool { return c.p < s.opt.MinP*top })
	s.normalise()
}

// draw inverts the cumulative distribution at u in [0,1).
func (s *sampler) draw(u float64) candidate {
	mass := 0.0
	for _, c := range s.order {
		mass += c.p
		if u < mass {
			return c
		}
	}
	return s.order[len(s.order)-1]
}

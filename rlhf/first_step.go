package rlhf

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
)

// Tolerances of the first step.
const (
	// samplerMean is how far, on average over the tokens of a micro-batch, the raw
	// log-probability of a token in nats may be from the sampler's; package generate
	// promises that both are the same. One token may be as far apart as samplerMost:
	// sharp adapters amplify the rounding of float32. After training the embedded
	// model's adapter at a rate of 4e-3, sampler and trainer were 1.9e-4 and 2.9e-4
	// from float64 at one of 17,000 tokens, and 1e-6 on average; Gemma 3, with logits
	// up to 44, has 2e-5 at most. A wrong temperature, mask or adapter shows in the
	// second digit of every token.
	samplerMean32, samplerMean64 = 1e-5, 1e-9
	samplerMost32, samplerMost64 = 1e-3, 1e-8
	// ratioTol is how far log-ratios may be from 0 where policies are the same:
	// rounding in differently packed batches.
	ratioTol32, ratioTol64 = 1e-4, 1e-9
)

// checkFirst asserts that the first step is on policy.
func (s *stage) checkFirst(b *microBatch) error {
	tol, seen := ratioTol32, agreement{mean: samplerMean32, most: samplerMost32}
	if policy.Precision(s.policy.Model) == tensor.Float64 {
		tol, seen = ratioTol64, agreement{mean: samplerMean64, most: samplerMost64}
	}
	at := 0
	for _, c := range b.rows {
		for t := range c.Tokens {
			lp := s.seen.logProb[at]
			at++
			if !s.counts(c, t) {
				continue
			}
			near := tol * math.Max(1, math.Abs(lp))
			if c.Old != nil && s.fromNow(c, t) && !(math.Abs(lp-c.Old[t]) <= near) {
				return fmt.Errorf("%w: group %d, token %d: log-ratio to the policy that sampled is %g, want 0", ErrFirstStep, c.Group, t, lp-c.Old[t])
			}
			if c.Ref != nil && s.reference != nil && s.reference.start && !(math.Abs(lp-c.Ref[t]) <= near) {
				return fmt.Errorf("%w: group %d, token %d: log-ratio to the reference is %g, want 0", ErrFirstStep, c.Group, t, lp-c.Ref[t])
			}
			if sampled, ok := s.comparable(c, t); ok && !seen.add(lp, sampled) {
				return fmt.Errorf("%w: group %d, token %d: its log-probability is %g for the trainer and %g for the sampler (Options.Trusted skips this test)", ErrFirstStep, c.Group, t, lp, sampled)
			}
		}
	}
	return seen.check()
}

// agreement is how far log-probabilities of trainer and sampler are apart, relative to
// those above 1.
type agreement struct {
	mean, most   float64 // allowed
	apart, count float64
}

// add notes a token and says whether it is near enough.
func (a *agreement) add(trainer, sampler float64) bool {
	d := math.Abs(trainer-sampler) / math.Max(1, math.Abs(trainer))
	a.apart += d
	a.count++
	return d <= a.most
}

// check says whether the tokens are near enough on average; a single outlier is.
func (a *agreement) check() error {
	if a.apart <= a.mean*a.count+a.most {
		return nil
	}
	return fmt.Errorf("%w: log-probabilities of %g tokens are %g nats apart for trainer and sampler on average, want %g at most (Options.Trusted skips this test)", ErrFirstStep, a.count, a.apart/a.count, a.mean)
}

// fromNow says whether a token comes from the policy as it stands.
func (s *stage) fromNow(c *rollout.Completion, t int) bool { return c.Tokens[t].Version == 0 }

// comparable is the sampler's log-probability of a token where the trainer must
// compute the same: the policy's own generator sampled it, and from a distribution
// that the trainer knows.
func (s *stage) comparable(c *rollout.Completion, t int) (float64, bool) {
	if s.generator == nil || s.opts.Trusted || s.policy.Model.Config().RoPE.LengthDependent() {
		return 0, false
	}
	o := &s.opts.Generate
	whole := o.TopK == 0 && (o.TopP == 0 || o.TopP == 1) && o.MinP == 0
	switch {
	case whole:
		return c.Tokens[t].SamplerLogProb, true
	case o.Temperature == 1:
		return c.Tokens[t].LogProb, true
	}
	return 0, false
}

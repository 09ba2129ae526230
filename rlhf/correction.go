package rlhf

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// Correction weighs the policy's part of the loss by truncated or masked importance
// ratios between trainer and sampler (TRL's vllm_importance_sampling_correction). The
// zero value does nothing: the policy's own generator computes what the trainer does.
type Correction struct {
	Mode   advantage.Correction `json:"mode,omitempty"`
	Bounds advantage.Bounds     `json:"bounds,omitzero"`
}

// Validate reports faulty settings.
func (c Correction) Validate() error {
	if c.Mode > advantage.SequenceMask {
		return fmt.Errorf("rlhf: Correction.Mode: got %d, want at most %d", c.Mode, advantage.SequenceMask)
	}
	if b := c.Bounds; !(b.Min >= 0) || !(b.Max >= 0) || b.Max != 0 && b.Min > b.Max {
		return fmt.Errorf("rlhf: Correction.Bounds: got %g to %g, want 0 ≤ Min ≤ Max, or 0 for 3", b.Min, b.Max)
	}
	return nil
}

func (c Correction) perToken() bool {
	return c.Mode == advantage.TokenTruncate || c.Mode == advantage.TokenMask
}

func (c Correction) perRow() bool {
	return c.Mode == advantage.SequenceTruncate || c.Mode == advantage.SequenceMask
}

// corrected are the weights of a rollout's completions.
type corrected struct {
	token map[*rollout.Completion][]float64
	row   map[*rollout.Completion]float64
	kept  float64
}

// correct weighs the completions of the rollout; they have their Old.
func (s *stage) correct() {
	c := s.opts.Correction
	if c.Mode == advantage.NoCorrection {
		return
	}
	var old, sampler, mask [][]float64
	for _, x := range s.roll.Completions {
		said := make([]float64, len(x.Tokens))
		for t := range said {
			said[t] = x.Tokens[t].SamplerLogProb
		}
		old, sampler, mask = append(old, x.Old), append(sampler, said), append(mask, s.mask(x))
	}
	m := advantage.Correct(old, sampler, mask, c.Mode, c.Bounds)
	s.corrected = corrected{token: map[*rollout.Completion][]float64{}, row: map[*rollout.Completion]float64{}, kept: m.Kept}
	for i, x := range s.roll.Completions {
		if m.Token != nil {
			s.corrected.token[x] = m.Token[i]
		}
		if m.Row != nil {
			s.corrected.row[x] = m.Row[i]
		}
	}
}

// samplerLogProbs appends what the sampler said of each token that counts, and the
// trainer's own number where it said nothing.
func samplerLogProbs(dst []float64, c *rollout.Completion, mask []float64) []float64 {
	for t := range c.Tokens {
		lp := c.Tokens[t].SamplerLogProb
		if mask[t] == 0 || math.IsNaN(lp) {
			lp = c.Old[t]
		}
		dst = append(dst, lp)
	}
	return dst
}

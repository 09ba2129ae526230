package rlhf

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// Clip is the range in which a ratio w = π/π_old may move before it stops being
// paid for, and the surrogate made of it:
//
//	ℓ = −min(min(w, δ)·A, clip(w, 1−ε, 1+ε')·A)
//
// A ratio that has left the range to the side that A asks for has no gradient.
//
// Schulman et al. 2017, "Proximal Policy Optimization Algorithms",
// arXiv:1707.06347, eq. 7.
type Clip struct {
	// Low is ε; 0 takes the loss's default. +Inf does not clip.
	Low float64 `json:"low,omitempty"`
	// High is ε'; 0 takes the loss's default, which is ε unless it says otherwise.
	High float64 `json:"high,omitempty"`
	// Cap is δ > 1+ε', the most that a ratio counts in the unclipped branch, as TRL's
	// delta: it bounds the loss, and stops the gradient, of tokens with A < 0 that
	// have become far likelier. 0 is none. (Team Intellect 2025, "INTELLECT-2",
	// arXiv:2505.07291: two-sided clipping.)
	Cap float64 `json:"cap,omitempty"`
	// Dual is c > 1 of dual-clip PPO: where A < 0 the loss is at most −c·A. 0 is none.
	// It equals a Cap of c for ratios above 1+ε', which are the only ones it touches.
	// (Ye et al. 2020, "Mastering Complex Control in MOBA Games with Deep
	// Reinforcement Learning", arXiv:1912.09729, eq. 3; verl always has c = 3.)
	Dual float64 `json:"dual,omitempty"`
}

// or takes the numbers that are 0 from d; High falls back to Low before that where
// only Low is set.
func (c Clip) or(d Clip) Clip {
	if c.High == 0 {
		if c.High = c.Low; c.Low == 0 {
			c.High = d.High
		}
	}
	if c.Low == 0 {
		c.Low = d.Low
	}
	if c.High == 0 {
		c.High = c.Low
	}
	return c
}

// validate reports faulty numbers.
func (c Clip) validate(loss string) error {
	var faults []error
	for _, f := range []struct {
		name  string
		value float64
	}{{"Low", c.Low}, {"High", c.High}} {
		if f.value < 0 || math.IsNaN(f.value) {
			faults = append(faults, fmt.Errorf("rlhf: %s: Clip.%s is %g, want at least 0", loss, f.name, f.value))
		}
	}
	for _, f := range []struct {
		name  string
		value float64
	}{{"Cap", c.Cap}, {"Dual", c.Dual}} {
		if f.value != 0 && !(f.value > 1) {
			faults = append(faults, fmt.Errorf("rlhf: %s: Clip.%s is %g, want 0 or more than 1", loss, f.name, f.value))
		}
	}
	return errors.Join(faults...)
}

// surrogate is the clipped surrogate of ratios at a level, with the fractions of
// clipped tokens, or rows, that TRL logs.
func (c Clip) surrogate(in Tokens, l Level) Terms {
	w := in.Ratio(l)
	return Terms{Token: c.pessimistic(w, in.Advantage), Ratio: w, Metrics: c.fractions(in, c.capped(w), l)}
}

// capped is min(w, δ).
func (c Clip) capped(w *tensor.Node) *tensor.Node {
	if c.Cap == 0 {
		return w
	}
	return tensor.Clip(w, math.Inf(-1), c.Cap)
}

// pessimistic is ℓ for ratios w and advantages a.
func (c Clip) pessimistic(w, a *tensor.Node) *tensor.Node {
	gain := tensor.Min(tensor.Mul(c.capped(w), a), tensor.Mul(tensor.Clip(w, 1-c.Low, 1+c.High), a))
	if c.Dual != 0 {
		floored := tensor.Max(gain, tensor.Scale(a, c.Dual))
		down := positive(tensor.Neg(a))
		gain = tensor.Add(tensor.Mul(down, floored), tensor.Mul(choose(down, 0, 1), gain))
	}
	return tensor.Neg(gain)
}

// fractions are the shares of tokens, or of rows where ratios are theirs, that have
// left the range to the side that A asks for.
func (c Clip) fractions(in Tokens, w *tensor.Node, l Level) []Metric {
	low := tensor.Mul(fallsBelow(w, 1-c.Low), positive(tensor.Neg(in.Advantage)))
	high := tensor.Mul(exceeds(w, 1+c.High), positive(in.Advantage))
	return clipMetrics(in, low, high, l)
}

// clipMetrics logs which tokens were clipped.
func clipMetrics(in Tokens, low, high *tensor.Node, l Level) []Metric {
	metrics := rowClipMetrics(in.RowMean(low), in.RowMean(high))
	if l != TokenLevel {
		return metrics
	}
	for i := range metrics {
		switch m := &metrics[i]; m.Name {
		case "clip_ratio/low_mean":
			m.Value, m.Over = low, OverTokens
		case "clip_ratio/high_mean":
			m.Value, m.Over = high, OverTokens
		case "clip_ratio/region_mean":
			m.Value, m.Over = tensor.Add(low, high), OverTokens
		}
	}
	return metrics
}

// rowClipMetrics logs which rows were clipped, (R).
func rowClipMetrics(low, high *tensor.Node) []Metric {
	return []Metric{
		{Name: "clip_ratio/low_mean", Value: low, Over: OverRows},
		{Name: "clip_ratio/low_min", Value: low, Over: OverRows, Reduce: Least},
		{Name: "clip_ratio/high_mean", Value: high, Over: OverRows},
		{Name: "clip_ratio/high_max", Value: high, Over: OverRows, Reduce: Most},
		{Name: "clip_ratio/region_mean", Value: tensor.Add(low, high), Over: OverRows},
	}
}

package eval

import (
	"fmt"
	"math"
)

// Kind says how the items of a Measurement become one number.
type Kind string

// Kinds of measurements.
const (
	// KindShare is Σ num / Σ den with num 0 or 1 and den 1: exact match.
	KindShare Kind = "share"
	// KindMean is Σ num / Σ den.
	KindMean Kind = "mean"
	// KindPerplexity is exp(Σ num / Σ den), with num an item's negative
	// log-likelihood in nats and den its target tokens. Low is good.
	KindPerplexity Kind = "perplexity"
)

// Measurement is what was measured, item by item, so that two measurements of the
// same items can be compared pair by pair.
type Measurement struct {
	Name     string    `json:"name"`
	Kind     Kind      `json:"kind"`
	Num, Den []float64 `json:"-"` // (items)
}

// Estimate is a number with its confidence interval.
type Estimate struct {
	Value float64 `json:"value"`
	Interval
}

// Items is the number of items.
func (m *Measurement) Items() int { return len(m.Num) }

// Value is the measured number; NaN without items.
func (m *Measurement) Value() float64 { return m.finish(sum(m.Num), sum(m.Den)) }

// Total is Σ den: the tokens of a perplexity.
func (m *Measurement) Total() float64 { return sum(m.Den) }

func (m *Measurement) finish(num, den float64) float64 {
	if m.Kind == KindPerplexity {
		return math.Exp(num / den)
	}
	return num / den
}

// of is the number for a resample.
func (m *Measurement) of(index []int32) float64 {
	num, den := 0.0, 0.0
	for _, i := range index {
		num += m.Num[i]
		den += m.Den[i]
	}
	return m.finish(num, den)
}

// Estimate is the value with its interval: Wilson's for a share, else b's.
func (m *Measurement) Estimate(b Bootstrap) Estimate {
	b = b.withDefaults()
	e := Estimate{Value: m.Value()}
	switch {
	case m.Kind == KindShare:
		e.Interval = Wilson(int(math.Round(sum(m.Num))), m.Items(), b.Confidence)
	case m.Items() == 0:
		e.Interval = Interval{math.NaN(), math.NaN()}
	default:
		e.Interval = percentiles(b.distribution(m.Items(), m.of), b.Confidence)
	}
	return e
}

// Validate reports the first thing wrong with m.
func (m *Measurement) Validate() error {
	if len(m.Num) != len(m.Den) {
		return fmt.Errorf("eval: %s: got %d numerators and %d denominators, want equal numbers", m.Name, len(m.Num), len(m.Den))
	}
	for i := range m.Num {
		if bad := m.Num[i] - m.Num[i] + m.Den[i] - m.Den[i]; bad != 0 || m.Den[i] < 0 {
			return fmt.Errorf("eval: %s: item %d is %g/%g, want finite numbers", m.Name, i, m.Num[i], m.Den[i])
		}
		if m.Kind == KindShare && (m.Den[i] != 1 || m.Num[i] != 0 && m.Num[i] != 1) {
			return fmt.Errorf("eval: %s: item %d is %g/%g, want 0 or 1 of 1 in a share", m.Name, i, m.Num[i], m.Den[i])
		}
	}
	return nil
}

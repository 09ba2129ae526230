package train

import (
	"fmt"
	"math"
)

// fieldChecks collects the faults of the options of one rule.
type fieldChecks struct {
	rule   string
	faults []error
}

func (c *fieldChecks) want(field string, v any, ok bool, want string) {
	if !ok {
		c.faults = append(c.faults, fmt.Errorf("train: %s.%s: got %v, want %s", c.rule, field, v, want))
	}
}

// positive wants a finite number above 0.
func (c *fieldChecks) positive(field string, v float64) {
	c.want(field, v, v > 0 && !math.IsInf(v, 0), "a finite number above 0")
}

// notNegative wants a finite number of at least 0.
func (c *fieldChecks) notNegative(field string, v float64) {
	c.want(field, v, v >= 0 && !math.IsInf(v, 0), "a finite number of at least 0")
}

// fraction wants a number in [0, 1).
func (c *fieldChecks) fraction(field string, v float64) {
	c.want(field, v, v >= 0 && v < 1, "a number in [0, 1)")
}

// betas wants two fractions.
func (c *fieldChecks) betas(b [2]float64) {
	c.fraction("Betas[0]", b[0])
	c.fraction("Betas[1]", b[1])
}

func (c *fieldChecks) err() error { return optionFaults(c.faults) }

// orDefault is v, or the default when v is 0.
func orDefault(v, byDefault float64) float64 {
	if v == 0 {
		return byDefault
	}
	return v
}

// orBetas is b, or the defaults when b is nil.
func orBetas(b *[2]float64, first, second float64) *[2]float64 {
	if b == nil {
		return &[2]float64{first, second}
	}
	return b
}

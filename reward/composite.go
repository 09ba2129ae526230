package reward

import (
	"context"
	"fmt"
	"math"
)

// Part is one verifier of a Composite and its weight.
type Part struct {
	Weight   float64
	Verifier Verifier
}

// Composite is the weighted sum of its parts; weights need not add up to 1.
type Composite struct {
	name  string
	parts []Part
}

// NewComposite weighs verifiers; their names must differ and weights be finite.
func NewComposite(name string, parts ...Part) (*Composite, error) {
	seen := map[string]bool{}
	for i, p := range parts {
		switch {
		case p.Verifier == nil:
			return nil, fmt.Errorf("reward: %s: part %d has no verifier: %w", name, i, ErrOptions)
		case seen[p.Verifier.Name()]:
			return nil, fmt.Errorf("reward: %s: two parts are called %q: %w", name, p.Verifier.Name(), ErrOptions)
		case math.IsNaN(p.Weight) || math.IsInf(p.Weight, 0):
			return nil, fmt.Errorf("reward: %s: weight of %q is %v, want a finite number: %w", name, p.Verifier.Name(), p.Weight, ErrOptions)
		}
		seen[p.Verifier.Name()] = true
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("reward: %s has no parts: %w", name, ErrOptions)
	}
	return &Composite{name, append([]Part(nil), parts...)}, nil
}

// Name is the name given to NewComposite.
func (c *Composite) Name() string { return c.name }

// Verify is the weighted sum; an error of one part is an error of the whole.
func (c *Composite) Verify(ctx context.Context, s Sample) (float64, error) {
	total, _, err := c.Parts(ctx, s)
	return total, err
}

// Scored is the unweighted reward of a part.
type Scored struct {
	Name  string
	Value float64
}

// Parts is Verify with the reward of every part, in order, for metrics.
func (c *Composite) Parts(ctx context.Context, s Sample) (total float64, parts []Scored, err error) {
	for _, p := range c.parts {
		v, err := p.Verifier.Verify(ctx, s)
		if err != nil {
			return 0, nil, fmt.Errorf("reward: %s: %w", c.name, err)
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, nil, fmt.Errorf("reward: %s: %s gave %v, want a finite number: %w", c.name, p.Verifier.Name(), v, ErrOptions)
		}
		total += p.Weight * v
		parts = append(parts, Scored{p.Verifier.Name(), v})
	}
	return total, parts, nil
}

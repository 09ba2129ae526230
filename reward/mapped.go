package reward

import (
	"context"
	"fmt"
)

// mapped changes another verifier's reward.
type mapped struct {
	of    Verifier
	name  string
	value func(s Sample, r float64) (float64, error)
}

// Name is the name given.
func (m mapped) Name() string { return m.name }

// Verify maps the reward; an error stays one.
func (m mapped) Verify(ctx context.Context, s Sample) (float64, error) {
	r, err := m.of.Verify(ctx, s)
	if err != nil {
		return 0, err
	}
	if r, err = m.value(s, r); err != nil {
		return 0, fmt.Errorf("reward: %s: %w", m.name, err)
	}
	return r, nil
}

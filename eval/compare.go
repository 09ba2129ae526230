package eval

import (
	"errors"
	"fmt"
	"slices"
)

// Change compares two measurements of the same items.
type Change struct {
	Name   string   `json:"name"`
	Kind   Kind     `json:"kind"`
	Items  int      `json:"items"`
	Before Estimate `json:"before"`
	After  Estimate `json:"after"`
	// Difference is after − before, with a paired interval: the same items are
	// drawn again for both.
	Difference Estimate `json:"difference"`
	// P is the two-sided p-value that nothing changed: McNemar's exact test for a
	// share, else a randomization test (not below 1/(1+Resamples)).
	P float64 `json:"p"`
}

// ErrNotPaired says that two measurements are not of the same items.
var ErrNotPaired = errors.New("eval: measurements are not of the same items")

// Compare sets after against before, item by item: item i of both must be the
// same question or example.
func Compare(before, after *Measurement, b Bootstrap) (Change, error) {
	if err := errors.Join(b.Validate(), before.Validate(), after.Validate()); err != nil {
		return Change{}, err
	}
	if before.Kind != after.Kind || before.Items() != after.Items() || before.Items() == 0 {
		return Change{}, fmt.Errorf("%w: %s has %d items of kind %s, %s %d of kind %s, want one number above 0 and one kind",
			ErrNotPaired, before.Name, before.Items(), before.Kind, after.Name, after.Items(), after.Kind)
	}
	if before.Kind == KindPerplexity && !slices.Equal(before.Den, after.Den) {
		return Change{}, fmt.Errorf("%w: %s: items have other numbers of tokens before and after", ErrNotPaired, before.Name)
	}
	b = b.withDefaults()
	c := Change{Name: after.Name, Kind: after.Kind, Items: after.Items(), Before: before.Estimate(b), After: after.Estimate(b)}
	differences := b.distribution(c.Items, func(index []int32) float64 { return after.of(index) - before.of(index) })
	c.Difference = Estimate{c.After.Value - c.Before.Value, percentiles(differences, b.Confidence)}
	if c.Kind == KindShare {
		c.P = McNemar(discordant(before, after), discordant(after, before))
	} else {
		c.P = b.randomizationP(before, after)
	}
	return c, nil
}

// discordant counts the items that are right in a only.
func discordant(a, b *Measurement) int {
	n := 0
	for i := range a.Num {
		if a.Num[i] > b.Num[i] {
			n++
		}
	}
	return n
}

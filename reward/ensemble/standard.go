package ensemble

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/reward"
)

// Standardise measures the level and the scale of every member on samples, such as
// answers of the first policy to held-out prompts, and counts all members by them
// from now on. It returns them, to be kept for SetStandards.
func (e *Ensemble) Standardise(ctx context.Context, samples []reward.Sample) ([]Standard, error) {
	if len(samples) < 2 {
		return nil, fmt.Errorf("ensemble: %s: Standardise: got %d samples, want two at least", e.name, len(samples))
	}
	list, err := e.score(ctx, samples)
	if err != nil {
		return nil, fmt.Errorf("ensemble: %s: %w", e.name, err)
	}
	standards := make([]Standard, len(e.members))
	column := make([]float64, len(list))
	for k := range standards {
		for i := range list {
			column[i] = list[i][k]
		}
		standards[k] = Standard{Mean: Mean{}.Of(column), Deviation: math.Sqrt(variance(column))}
	}
	return standards, e.SetStandards(standards)
}

// SetStandards counts members by these levels and scales; nil counts their scores as
// they are.
func (e *Ensemble) SetStandards(standards []Standard) error {
	var faults []error
	if len(standards) != 0 && len(standards) != len(e.members) {
		faults = append(faults, fmt.Errorf("ensemble: %s: got %d standards, want one for each of %d members", e.name, len(standards), len(e.members)))
	}
	for i, s := range standards {
		if !(s.Deviation > 0) || math.IsInf(s.Deviation, 0) || math.IsNaN(s.Mean) || math.IsInf(s.Mean, 0) {
			faults = append(faults, fmt.Errorf("ensemble: %s: standard of member %d: got mean %g and deviation %g, want finite numbers, the deviation above 0", e.name, i, s.Mean, s.Deviation))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	e.standards = standards
	return nil
}

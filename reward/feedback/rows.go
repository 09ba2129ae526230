package feedback

import (
	"errors"
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/reward"
)

// Impression is an answer that was shown once.
type Impression struct {
	At                 data.Place
	Prompt, Completion string
	Accepted           bool // clicked, copied, kept, voted for
	Place              int  // where it stood, from 0
	// Propensity is the probability that it was looked at, in (0, 1]; 0 takes that of
	// its Place.
	Propensity float64
}

// Options say how impressions are weighted.
type Options struct {
	// Examination is the propensity of each place; nil where all impressions have one of
	// their own.
	Examination []float64
	// MaxWeight bounds 1/p; 0 means 10, negative no bound.
	MaxWeight float64
}

// ErrPropensity is wrapped by errors about propensities.
var ErrPropensity = errors.New("feedback: bad propensity")

// Rows makes rows for reward.Prepare and reward.Outcome, whose loss is then
//
//	L = −(z/p)·log σ(R) − (1 − z/p)·log σ(−R)
//
// in nats, for z = 1 if the answer was accepted and its propensity p. In the mean over
// the logs that is the loss on what users would accept if they looked at everything.
// Of a single accepted impression it falls without end as R grows: the model must not
// be able to tell impressions of equal answers apart, and few steps or weight decay
// help.
//
// Joachims et al. 2017, arXiv:1608.04468, with the cross-entropy as the loss
// (Saito et al. 2020, arXiv:1909.03601).
func Rows(src data.Source[Impression], o Options) data.Source[reward.Row] {
	return data.SourceFunc[reward.Row](func() iter.Seq2[reward.Row, error] {
		return func(yield func(reward.Row, error) bool) {
			for i, err := range src.All() {
				var row reward.Row
				if err == nil {
					row, err = o.row(i)
				}
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	})
}

// row weighs one impression.
func (o Options) row(i Impression) (reward.Row, error) {
	p := i.Propensity
	if p == 0 && i.Place >= 0 && i.Place < len(o.Examination) {
		p = o.Examination[i.Place]
	}
	if !(p > 0 && p <= 1) {
		return reward.Row{}, fmt.Errorf("%w: %v: got %g at place %d, want more than 0 and at most 1", ErrPropensity, i.At, p, i.Place)
	}
	row := reward.Row{At: i.At, Answers: []data.Row{data.LabelledRow{At: i.At, Prompt: i.Prompt, Completion: i.Completion}.Answer()}, Labels: []float64{0}}
	if i.Accepted {
		row.Labels[0], _ = bounded(1/p, o.MaxWeight)
	}
	return row, nil
}

// defaultMaxWeight bounds weights by default.
const defaultMaxWeight = 10

// bounded is w, at most most, and whether that changed it.
func bounded(w, most float64) (float64, bool) {
	if most == 0 {
		most = defaultMaxWeight
	}
	if most > 0 && w > most {
		return most, true
	}
	return w, false
}

// Examination measures the propensity of each place from lists in random order: there
// all places hold equally good answers, so that they are accepted as often as they
// are looked at. The first place counts as always looked at; the level is lost, which
// no ranking needs.
//
// Joachims et al. 2017, arXiv:1608.04468 (there by swapping places).
func Examination(shuffled data.Source[Impression]) ([]float64, error) {
	var shown, accepted []int
	for i, err := range shuffled.All() {
		if err != nil {
			return nil, err
		}
		if i.Place < 0 || i.Place > maxPlace {
			return nil, fmt.Errorf("%w: %v: got place %d, want 0 to %d", ErrPropensity, i.At, i.Place, maxPlace)
		}
		for len(shown) <= i.Place {
			shown, accepted = append(shown, 0), append(accepted, 0)
		}
		shown[i.Place]++
		if i.Accepted {
			accepted[i.Place]++
		}
	}
	p := make([]float64, len(shown))
	for k := range p {
		if accepted[k] == 0 {
			return nil, fmt.Errorf("%w: of %d impressions at place %d none was accepted, want some to measure it by", ErrPropensity, shown[k], k)
		}
		p[k] = min(1, float64(accepted[k])*float64(shown[0])/(float64(shown[k])*float64(accepted[0])))
	}
	return p, nil
}

// maxPlace bounds the places that a file may claim.
const maxPlace = 1 << 16

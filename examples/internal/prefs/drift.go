package prefs

import (
	"context"
	"math"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Drift measures how far the answers of held-out rows have moved since the start of
// training, in nats of their log-probability. It is a train.Evaluator; its metrics
// are
//
//	drift/chosen, drift/rejected   mean change of log π of preferred and other answers
//	length/correlation             of an answer's change with its length: pairs
//	                               compare differences, so 0 means that length is not
//	                               what was learnt
//	length/accuracy_longer         pairs whose chosen answer is the longer one: share
//	length/accuracy_shorter        in which it gained more; and the others
//	logps/accuracy                 share of pairs whose chosen answer is the likelier
//	                               one, with a 95 % interval (_low, _high): unlike
//	                               rewards/accuracies it means something at the start
type Drift struct {
	scorer *dpo.Scorer
	pairs  []dpo.Pair
	good   []bool // of single answers; nil for pairs
	start  []sums
}

// sums are the log-probabilities of the answers of a pair.
type sums struct{ chosen, rejected float64 }

// NewDrift scores the pairs with the policy as it is: before training, also of a
// run that goes on.
func NewDrift(ctx context.Context, p dpo.Policy, pairs []dpo.Pair, device *tensor.Device) (*Drift, error) {
	return newDrift(ctx, p, &Drift{pairs: pairs}, device)
}

// NewRowDrift is NewDrift for labelled answers.
func NewRowDrift(ctx context.Context, p dpo.Policy, rows []unpaired.Row, device *tensor.Device) (*Drift, error) {
	d := &Drift{good: []bool{}}
	for _, r := range rows {
		d.pairs, d.good = append(d.pairs, dpo.Pair{Prompt: r.Prompt, Chosen: r.Completion, At: r.At}), append(d.good, r.Desirable)
	}
	return newDrift(ctx, p, d, device)
}

func newDrift(ctx context.Context, p dpo.Policy, d *Drift, device *tensor.Device) (*Drift, error) {
	longest := 0
	for _, q := range d.pairs {
		longest = max(longest, q.Len())
	}
	var err error
	if d.scorer, err = dpo.NewScorer(p.Model, p.AdapterName(), dpo.ScoreOptions{MicroTokens: max(512, longest), Device: device}); err != nil {
		return nil, err
	}
	d.start, err = d.score(ctx)
	return d, err
}

// score sums the log-probabilities of all answers.
func (d *Drift) score(ctx context.Context) ([]sums, error) {
	scores, err := d.scorer.Score(ctx, d.pairs)
	if err != nil {
		return nil, err
	}
	all := make([]sums, len(d.pairs))
	for i := range all {
		all[i] = sums{total(scores.Chosen(i)), total(scores.Rejected(i))}
	}
	return all, nil
}

func total(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum
}

// Evaluate implements train.Evaluator.
func (d *Drift) Evaluate(ctx context.Context, m *train.Metrics) error {
	now, err := d.score(ctx)
	if err != nil {
		return err
	}
	var change, length []float64
	for i, s := range now {
		c, r := s.chosen-d.start[i].chosen, s.rejected-d.start[i].rejected
		p := &d.pairs[i]
		switch {
		case d.good == nil:
			m.Add("drift/chosen", c, 1)
			m.Add("drift/rejected", r, 1)
			compare(m, len(p.Chosen)-len(p.Rejected), c > r)
		case d.good[i]:
			m.Add("drift/chosen", c, 1)
		default:
			m.Add("drift/rejected", c, 1)
		}
		change, length = append(change, c-r), append(length, float64(len(p.Chosen)-len(p.Rejected)))
	}
	m.Set("length/correlation", correlation(change, length))
	if d.good == nil {
		agree(m, now)
	}
	return nil
}

// compare books a pair under the side that is longer.
func compare(m *train.Metrics, longer int, right bool) {
	v := 0.0
	if right {
		v = 1
	}
	switch {
	case longer > 0:
		m.Add("length/accuracy_longer", v, 1)
	case longer < 0:
		m.Add("length/accuracy_shorter", v, 1)
	}
}

// correlation is Pearson's, 0 where one of both does not vary.
func correlation(x, y []float64) float64 {
	n := float64(len(x))
	mx, my := total(x)/n, total(y)/n
	var xx, yy, xy float64
	for i := range x {
		xx, yy, xy = xx+(x[i]-mx)*(x[i]-mx), yy+(y[i]-my)*(y[i]-my), xy+(x[i]-mx)*(y[i]-my)
	}
	if xx*yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

// Notes explain the numbers on the page of a run.
func Notes() []string {
	return []string{
		"The likelihood of chosen answers (logps/chosen, drift/chosen) may well fall while margins and accuracies grow: most losses ask only that rejected answers fall further. Add a supervised term (sft) where that matters.",
		"length/correlation compares how much answers gained with how long they are (pairs: their differences). Far from 0 it says that length is part of what was learnt; compare length/accuracy_longer with length/accuracy_shorter.",
	}
}

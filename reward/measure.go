package reward

import (
	"math"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/train"
)

// measurement reads what a program computed of micro-batches and books metrics.
type measurement struct {
	traits Traits
	micro  bool // means, minima and maxima of micro-batches are averaged

	scores   []float64 // (R)
	extra    []float64
	low, top float64 // of the answers' scores so far
}

// reset starts a step or an evaluation.
func (x *measurement) reset() { x.low, x.top = math.Inf(1), math.Inf(-1) }

// share adds sums of values and weights to a metric: weight 1 for all of a
// micro-batch together where means are averaged.
func (x *measurement) share(m *train.Metrics, name string, sum, weight float64) {
	switch {
	case weight == 0:
	case x.micro:
		m.Add(name, sum/weight, 1)
	default:
		m.Add(name, sum/weight, weight)
	}
}

// add books the metrics of a micro-batch.
func (x *measurement) add(m *train.Metrics, pr *program, b *Batch) (err error) {
	if x.scores, err = policy.AppendValues(x.scores[:0], pr.run, pr.rows); err != nil {
		return err
	}
	x.book(m, b)
	for _, e := range pr.extra {
		if x.extra, err = policy.AppendValues(x.extra[:0], pr.run, e.Value); err != nil {
			return err
		}
		sum := 0.0
		for _, v := range x.extra {
			sum += v
		}
		x.share(m, e.Name, sum, float64(len(x.extra)))
	}
	return nil
}

// book adds what the scores say.
func (x *measurement) book(m *train.Metrics, b *Batch) {
	switch {
	case x.traits.Need == Marks:
		x.addRows(m, b)
	case x.traits.LogOdds:
		x.addAnswers(m, b)
		x.addLabels(m, b)
	default:
		x.addAnswers(m, b)
		x.addPairs(m, b)
	}
}

// addAnswers books the scores of answers, by TRL's names.
func (x *measurement) addAnswers(m *train.Metrics, b *Batch) {
	low, top, sum := math.Inf(1), math.Inf(-1), 0.0
	for _, row := range b.Last {
		r := x.scores[row]
		low, top, sum = min(low, r), max(top, r), sum+r
	}
	if len(b.Last) == 0 {
		return
	}
	x.low, x.top = min(x.low, low), max(x.top, top)
	x.share(m, "mean_reward", sum, float64(len(b.Last)))
	if x.micro {
		m.Add("min_reward", low, 1)
		m.Add("max_reward", top, 1)
	} else {
		m.Set("min_reward", x.low)
		m.Set("max_reward", x.top)
	}
}

// addPairs books how comparisons come out; ties count as wrong, as in TRL.
func (x *measurement) addPairs(m *train.Metrics, b *Batch) {
	right, margin, weight := 0.0, 0.0, 0.0
	for i, better := range b.Better {
		delta, w := x.scores[b.Last[better]]-x.scores[b.Last[b.Worse[i]]], b.PairWeight[i]
		margin, weight = margin+w*delta, weight+w
		if delta > 0 {
			right += w
		}
	}
	x.share(m, "accuracy", right, weight)
	x.share(m, "margin", margin, weight)
}

// addLabels books how many answers are on the right side of 0.
func (x *measurement) addLabels(m *train.Metrics, b *Batch) {
	right := 0.0
	for i, row := range b.Last {
		right += agree(x.scores[row], b.Labels[i])
	}
	x.share(m, "accuracy", right, float64(len(b.Last)))
}

// addRows books how many marked tokens are on the right side of 0.
func (x *measurement) addRows(m *train.Metrics, b *Batch) {
	right := 0.0
	for i, label := range b.RowLabels {
		right += agree(x.scores[i], label)
	}
	x.share(m, "accuracy", right, float64(len(b.RowLabels)))
}

// agree is 1 where log-odds and a probability are on the same side of a half.
// Odds of one are a "no": of two equal logits the first class wins.
func agree(logOdds, label float64) float64 {
	if (logOdds > 0) == (label > 0.5) {
		return 1
	}
	return 0
}

package reward

import (
	"math"

	"github.com/posttrain/posttrain/train"
)

// tally collects what an evaluation saw, for a Calibration.
type tally struct {
	traits          Traits
	logOdds, labels []float64
	answers         []answered
	groups          int
	longer, taken   float64 // comparisons won by the longer answer: in the data, by score
	unequal         float64 // comparisons of unequal length
}

// answered is an answer's score and length.
type answered struct {
	group         int
	score, length float64
}

func (t *tally) reset() {
	*t = tally{traits: t.traits, logOdds: t.logOdds[:0], labels: t.labels[:0], answers: t.answers[:0]}
}

// add takes in a micro-batch whose scored tokens have the scores rows.
func (t *tally) add(b *Batch, rows []float64) {
	score := func(answer int32) float64 { return rows[b.Last[answer]] }
	for i := range b.Groups {
		end := int(b.AnswerEnds[i])
		for a := end - span(b.AnswerEnds, i); a < end; a++ {
			t.answers = append(t.answers, answered{t.groups, score(int32(a)), b.Lengths[a]})
		}
		t.groups++
	}
	for i, better := range b.Better {
		worse := b.Worse[i]
		delta, length := score(better)-score(worse), b.Lengths[better]-b.Lengths[worse]
		if length != 0 {
			t.unequal++
			t.longer += agree(length, 1)
			t.taken += agree(length*delta, 1)
		}
		if !t.traits.LogOdds {
			t.logOdds, t.labels = append(t.logOdds, delta), append(t.labels, 1)
		}
	}
	switch {
	case t.traits.Need == Marks:
		t.logOdds, t.labels = append(t.logOdds, rows...), append(t.labels, b.RowLabels...)
	case t.traits.LogOdds:
		for a := range b.Last {
			t.logOdds, t.labels = append(t.logOdds, score(int32(a))), append(t.labels, b.Labels[a])
		}
	}
}

// calibration is what was collected; ok is false without a judgement.
func (t *tally) calibration() (c Calibration, ok bool) {
	c, err := Calibrate(t.logOdds, t.labels)
	if err != nil {
		return c, false
	}
	c.LengthCorrelation, c.LengthWithin = t.correlations()
	if t.unequal > 0 {
		c.LongerBetter, c.LongerPreferred = t.longer/t.unequal, t.taken/t.unequal
	}
	return c, true
}

// correlations are those of score and length, over all answers and within groups.
func (t *tally) correlations() (all, within float64) {
	scores, lengths := make([]float64, len(t.answers)), make([]float64, len(t.answers))
	sums, counts := make([][2]float64, t.groups), make([]float64, t.groups)
	for i, a := range t.answers {
		scores[i], lengths[i] = a.score, a.length
		sums[a.group][0] += a.score
		sums[a.group][1] += a.length
		counts[a.group]++
	}
	all = pearson(scores, lengths)
	for i, a := range t.answers {
		scores[i] -= sums[a.group][0] / counts[a.group]
		lengths[i] -= sums[a.group][1] / counts[a.group]
	}
	return all, pearson(scores, lengths)
}

// pearson is the correlation of x and y, 0 where either does not vary.
func pearson(x, y []float64) float64 {
	var mx, my float64
	for i := range x {
		mx, my = mx+x[i]/float64(len(x)), my+y[i]/float64(len(x))
	}
	var xx, yy, xy float64
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xx, yy, xy = xx+dx*dx, yy+dy*dy, xy+dx*dy
	}
	// Squares below rounding of the means are no variation.
	if floor := 1e-24 * float64(len(x)); xx <= floor*(1+mx*mx) || yy <= floor*(1+my*my) {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

// log adds a calibration to the metrics of an evaluation.
func (c Calibration) log(m *train.Metrics) {
	m.Set("accuracy_low", c.Low)
	m.Set("accuracy_high", c.High)
	m.Set("ece", c.ECE)
	m.Set("length_correlation", c.LengthCorrelation)
	if !math.IsNaN(c.AUC) {
		m.Set("auc", c.AUC)
	}
	if c.LongerBetter+c.LongerPreferred > 0 {
		m.Set("longer_preferred", c.LongerPreferred)
	}
}

package rlhf

import (
	"math"
	"slices"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/train"
)

// measurement reads what a program computed of a micro-batch.
type measurement struct {
	logProb []float64   // (M)
	metrics [][]float64 // of each of the program's metrics
	names   []Metric
	extreme []float64 // of metrics that are the least or the most of a step
	found   []bool

	difference, worst, compared float64 // between sampler and trainer: Σ|·|, max and count
	low, high                   float64 // importance ratios
	ratios                      int
}

// reset begins a step.
func (x *measurement) reset() {
	x.extreme, x.found = x.extreme[:0], x.found[:0]
	x.difference, x.worst, x.compared, x.ratios = 0, 0, 0, 0
}

// read takes the values of the last run.
func (x *measurement) read(pr *program) (err error) {
	if x.logProb, err = policy.AppendValues(x.logProb[:0], pr.run, pr.logProb); err != nil {
		return err
	}
	x.names = pr.metrics
	for len(x.metrics) < len(pr.metrics) {
		x.metrics = append(x.metrics, nil)
	}
	for len(x.extreme) < len(pr.metrics) {
		x.extreme, x.found = append(x.extreme, 0), append(x.found, false)
	}
	for i, m := range pr.metrics {
		if x.metrics[i], err = policy.AppendValues(x.metrics[i][:0], pr.run, m.Value); err != nil {
			return err
		}
	}
	return nil
}

// book adds the metrics of a micro-batch. Tokens and rows weigh 1 each, or with
// Options.MicroMeans all of the micro-batch together.
func (s *stage) book(b *microBatch) {
	x := &s.seen
	for i, m := range x.names {
		v := s.own(b, m, x.metrics[i])
		if m.Reduce != Mean {
			s.bookExtreme(i, m, v)
			continue
		}
		sum, n := 0.0, 0.0
		for k := range v {
			if m.Over == OverTokens {
				if s.in.mask[k] == 0 {
					continue
				}
			}
			sum += v[k]
			n++
		}
		if n == 0 {
			continue
		}
		weight := n
		if s.opts.MicroMeans {
			weight = 1
		}
		s.metrics.Add(m.Name, sum/n, weight)
	}
	s.compareSampler(b)
}

// own leaves the rows of texts that are only taught out of a number of rows.
func (s *stage) own(b *microBatch, m Metric, v []float64) []float64 {
	if m.Over == OverTokens || len(s.lesson.rows) == 0 {
		return v
	}
	kept := v[:0]
	for i, c := range b.rows {
		if !s.lesson.texts[c] {
			kept = append(kept, v[i])
		}
	}
	return kept
}

// bookExtreme keeps the least or the most of a number over the rows of the step.
func (s *stage) bookExtreme(i int, m Metric, v []float64) {
	if len(v) == 0 {
		return
	}
	x, best := &s.seen, slices.Min(v)
	if m.Reduce == Most {
		best = slices.Max(v)
	}
	if s.opts.MicroMeans {
		s.metrics.Add(m.Name, best, 1)
		return
	}
	if !x.found[i] || m.Reduce == Least && best < x.extreme[i] || m.Reduce == Most && best > x.extreme[i] {
		x.extreme[i], x.found[i] = best, true
	}
}

// finish adds what is known only at the end of a step.
func (x *measurement) finish(m *train.Metrics) {
	for i, metric := range x.names {
		if i < len(x.found) && x.found[i] {
			m.Set(metric.Name, x.extreme[i])
		}
	}
	if x.compared > 0 {
		m.Set("sampling/sampling_logp_difference/mean", x.difference/x.compared)
		m.Set("sampling/sampling_logp_difference/max", x.worst)
	}
	if x.ratios > 0 {
		m.Set("sampling/importance_sampling_ratio/min", x.low)
		m.Set("sampling/importance_sampling_ratio/max", x.high)
	}
}

// compareSampler measures how far sampler and trainer are apart, in the first step
// of a rollout, where the policy is the one that sampled.
func (s *stage) compareSampler(b *microBatch) {
	if !s.first {
		return
	}
	x, at := &s.seen, 0
	for _, c := range b.rows {
		for t := range c.Tokens {
			now := x.logProb[at]
			at++
			if c.Old != nil {
				now = c.Old[t]
			}
			d := math.Abs(now - c.Tokens[t].SamplerLogProb)
			if !s.counts(c, t) || math.IsNaN(d) {
				continue
			}
			x.difference += d
			x.worst = math.Max(x.worst, d)
			x.compared++
		}
	}
	s.bookCorrection()
}

// bookCorrection logs the importance ratios.
func (s *stage) bookCorrection() {
	list := s.in.rowWeight
	if s.opts.Correction.perToken() {
		list = s.in.weight
	}
	x := &s.seen
	for i, w := range list {
		if s.opts.Correction.perToken() && s.in.mask[i] == 0 {
			continue
		}
		s.metrics.Add("sampling/importance_sampling_ratio/mean", w, 1)
		if x.ratios == 0 || w < x.low {
			x.low = w
		}
		if x.ratios == 0 || w > x.high {
			x.high = w
		}
		x.ratios++
	}
}

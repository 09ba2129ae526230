package unpaired

import (
	"math"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// baseline computes what rows are compared with: KTO's z or BCO's δ, from forward
// passes of policy and reference.
type baseline struct {
	policy, reference *policy.Live
	asks              Traits
	beta              float64

	running mean // of all rewards so far

	ours, theirs []float64
	values       []float64 // a micro-batch's
}

// mean is a running mean.
type mean struct {
	Sum   float64 `json:"sum"`
	Count float64 `json:"count"`
}

func (m *mean) add(values []float64) {
	for _, v := range values {
		m.Sum += v
	}
	m.Count += float64(len(values))
}

// value is 0 before the first number.
func (m mean) value() float64 { return m.Sum / math.Max(1, m.Count) }

// ratios replaces values by the log-ratios of texts.
func (x *baseline) ratios(b *data.Packed, ends []int32) error {
	var err error
	if x.ours, err = x.policy.Score(x.ours[:0], b); err != nil {
		return err
	}
	if x.theirs, err = x.reference.Score(x.theirs[:0], b); err != nil {
		return err
	}
	x.values = x.values[:0]
	at := 0
	for _, end := range ends {
		sum := 0.0
		for ; at < int(end); at++ {
			sum += x.ours[at] - x.theirs[at]
		}
		x.values = append(x.values, sum)
	}
	return nil
}

// settle computes the baseline of micro-batches whose losses are divided together.
// With learn, BCO's rewards are added to the running mean.
func (x *baseline) settle(micro []Batch, learn bool) (float64, error) {
	switch {
	case x.asks.KL:
		var z mean
		for i := range micro {
			if err := x.ratios(&micro[i].Mismatched, micro[i].MismatchedEnds); err != nil {
				return 0, err
			}
			z.add(x.values)
		}
		return math.Max(0, z.value()), nil
	case !x.asks.Delta:
		return 0, nil
	case learn:
		for i := range micro {
			if err := x.ratios(&micro[i].Packed, micro[i].TargetEnds); err != nil {
				return 0, err
			}
			for k := range x.values {
				x.values[k] *= x.beta
			}
			x.running.add(x.values)
		}
	}
	return x.running.value(), nil
}

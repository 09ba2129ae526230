package dpo

import (
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// measurement reads what a program computed of a micro-batch.
type measurement struct {
	pairs           [4][]float64 // rewards and log-probabilities of chosen and rejected
	logits, entropy []float64
	extra           []float64
}

// read takes the values of the last run.
func (x *measurement) read(pr *program) (err error) {
	for i, n := range pr.pairs {
		if x.pairs[i], err = policy.AppendValues(x.pairs[i][:0], pr.run, n); err != nil {
			return err
		}
	}
	if x.logits, err = policy.AppendValues(x.logits[:0], pr.run, pr.logits); err != nil {
		return err
	}
	x.entropy, err = policy.AppendValues(x.entropy[:0], pr.run, pr.entropy)
	return err
}

// add books the metrics of a micro-batch. Pairs and tokens weigh 1 each, or with
// micro all of the micro-batch together.
func (x *measurement) add(m *train.Metrics, pr *program, b *Batch, micro bool) error {
	if err := x.read(pr); err != nil {
		return err
	}
	perPair := func(f func(i int) float64) (mean, weight float64) { return meanOf(len(b.Chosen), f, micro) }
	reward := func(side, i int) float64 { return x.pairs[side][i] }
	value, w := perPair(func(i int) float64 { return reward(0, i) })
	m.Add("rewards/chosen", value, w)
	value, w = perPair(func(i int) float64 { return reward(1, i) })
	m.Add("rewards/rejected", value, w)
	value, w = perPair(func(i int) float64 {
		if x.pairs[0][i] > x.pairs[1][i] { // ties count as wrong
			return 1
		}
		return 0
	})
	m.Add("rewards/accuracies", value, w)
	value, w = perPair(func(i int) float64 { return reward(0, i) - reward(1, i) })
	m.Add("rewards/margins", value, w)
	value, w = perPair(func(i int) float64 { return x.pairs[2][i] })
	m.Add("logps/chosen", value, w)
	value, w = perPair(func(i int) float64 { return x.pairs[3][i] })
	m.Add("logps/rejected", value, w)
	if err := x.addTokens(m, pr, b, micro); err != nil {
		return err
	}
	for _, e := range pr.extra {
		var err error
		if x.extra, err = policy.AppendValues(x.extra[:0], pr.run, e.Value); err != nil {
			return err
		}
		value, w = perPair(func(i int) float64 { return x.extra[i] })
		m.Add(e.Name, value, w)
	}
	return nil
}

// addTokens books the metrics over the tokens of answers.
func (x *measurement) addTokens(m *train.Metrics, pr *program, b *Batch, micro bool) error {
	best, err := tensor.Values[int32](pr.run, pr.argMax)
	if err != nil {
		return err
	}
	value, w := meanOf(len(b.Targets), func(i int) float64 { return x.entropy[i] }, micro)
	m.Add("entropy", value, w)
	// As in TRL, of the chosen answers only: those are to be imitated.
	value, w = meanOver(b, b.Chosen, micro, func(i int) float64 {
		if best[i] == b.Targets[i] {
			return 1
		}
		return 0
	})
	m.Add("mean_token_accuracy", value, w)
	logit := func(i int) float64 { return x.logits[i] }
	value, w = meanOver(b, b.Chosen, micro, logit)
	m.Add("logits/chosen", value, w)
	value, w = meanOver(b, b.Rejected, micro, logit)
	m.Add("logits/rejected", value, w)
	return nil
}

// meanOver is the mean of f over the targets of some segments, and its weight.
func meanOver(b *Batch, segments []int32, micro bool, f func(i int) float64) (mean, weight float64) {
	sum, n := 0.0, 0
	for _, s := range segments {
		end := int(b.TargetEnds[s])
		for i := end - policy.SegmentLen(b.TargetEnds, s); i < end; i++ {
			sum += f(i)
			n++
		}
	}
	return share(sum, n, micro)
}

// meanOf is the mean of f over n items, and its weight.
func meanOf(n int, f func(i int) float64, micro bool) (mean, weight float64) {
	sum := 0.0
	for i := range n {
		sum += f(i)
	}
	return share(sum, n, micro)
}

func share(sum float64, n int, micro bool) (mean, weight float64) {
	if n == 0 {
		return 0, 0
	}
	if micro {
		return sum / float64(n), 1
	}
	return sum / float64(n), float64(n)
}

package unpaired

import (
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// measurement reads what a program computed of a micro-batch.
type measurement struct {
	ratio, logProb, logits, entropy, extra []float64
}

// read takes the values of the last run.
func (x *measurement) read(pr *program) (err error) {
	for _, v := range [...]struct {
		to   *[]float64
		from *tensor.Node
	}{{&x.ratio, pr.ratio}, {&x.logProb, pr.logProb}, {&x.logits, pr.logits}, {&x.entropy, pr.entropy}} {
		if *v.to, err = policy.AppendValues((*v.to)[:0], pr.run, v.from); err != nil {
			return err
		}
	}
	return nil
}

// add books the metrics of a micro-batch. Rows and tokens weigh 1 each, or with
// micro all of the micro-batch together.
func (x *measurement) add(m *train.Metrics, pr *program, b *Batch, beta float64, micro bool) error {
	if err := x.read(pr); err != nil {
		return err
	}
	var rewards [2]tally
	for side, class := range [...]struct {
		desirable                bool
		reward, logProb, logitOf string
	}{{true, "rewards/chosen", "logps/chosen", "logits/chosen"}, {false, "rewards/rejected", "logps/rejected", "logits/rejected"}} {
		var reward, logProb, logit tally
		for i, d := range b.Desirable {
			if d != class.desirable {
				continue
			}
			reward.add(beta * x.ratio[i])
			logProb.add(x.logProb[i])
			end := int(b.TargetEnds[i])
			for at := end - policy.SegmentLen(b.TargetEnds, int32(i)); at < end; at++ {
				logit.add(x.logits[at])
			}
		}
		rewards[side] = reward
		m.Add(class.reward, reward.mean(), reward.weight(micro))
		m.Add(class.logProb, logProb.mean(), logProb.weight(micro))
		m.Add(class.logitOf, logit.mean(), logit.weight(micro))
	}
	if micro && rewards[0].n*rewards[1].n > 0 {
		m.Add("rewards/margins", rewards[0].mean()-rewards[1].mean(), 1)
	}
	var entropy tally
	for _, v := range x.entropy {
		entropy.add(v)
	}
	m.Add("entropy", entropy.mean(), entropy.weight(micro))
	return x.addExtra(m, pr, micro)
}

// addExtra books the loss's own metrics.
func (x *measurement) addExtra(m *train.Metrics, pr *program, micro bool) (err error) {
	for _, e := range pr.extra {
		if x.extra, err = policy.AppendValues(x.extra[:0], pr.run, e.Value); err != nil {
			return err
		}
		var t tally
		for _, v := range x.extra {
			t.add(v)
		}
		m.Add(e.Name, t.mean(), t.weight(micro))
	}
	return nil
}

// tally is a mean under way.
type tally struct {
	sum float64
	n   int
}

func (t *tally) add(v float64) { t.sum += v; t.n++ }

func (t *tally) mean() float64 { return t.sum / float64(max(1, t.n)) }

// weight is what the mean counts for among micro-batches.
func (t *tally) weight(micro bool) float64 {
	if micro && t.n > 0 {
		return 1
	}
	return float64(t.n)
}

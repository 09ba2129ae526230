package reward

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// stage implements train.Stage.
type stage struct {
	net    Net
	opts   Options
	src    StepSource
	traits Traits
	params []*tensor.Param
	list   []train.Parameter
	prog   *program
	arena  *tensor.Arena
	alone  bool // losses are divided by each micro-batch's own weight

	step    Step
	count   uint64 // optimizer steps begun
	loss    float64
	metrics train.Metrics // of the step so far
	seen    measurement
}

// Name is "reward".
func (s *stage) Name() string { return "reward" }

// Parameters implements train.Stage.
func (s *stage) Parameters() []train.Parameter { return s.list }

// Next implements train.Stage.
func (s *stage) Next(ctx context.Context, b *train.Batch) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reward: %w", err)
	}
	if err := s.src.Next(&s.step); err != nil {
		return err
	}
	if n := len(s.step.Micro); n > 1 && !s.alone && s.traits.BatchCoupled {
		return fmt.Errorf("reward: got a step of %d micro-batches for the loss %s, whose groups must be seen together; want larger micro-batches (BatchOptions.TokensPerMicro), or train.PerMicroBatch to let each be a batch of its own", n, s.opts.Loss.Name())
	}
	s.count++
	s.loss = 0
	s.metrics.Reset()
	s.seen.reset()
	b.Weights, b.Tokens, b.Epoch = b.Weights[:0], 0, s.step.Epoch
	for i := range s.step.Micro {
		micro := &s.step.Micro[i]
		if err := micro.has(s.traits.Need, s.opts.Loss); err != nil {
			return err
		}
		b.Weights = append(b.Weights, micro.weight(s.traits))
		b.Tokens += micro.Texts
	}
	return nil
}

// weight is what the sum of the micro-batch's losses is divided by.
func (b *Batch) weight(t Traits) float64 {
	if t.PerRow {
		return float64(len(b.Rows))
	}
	return float64(len(b.Groups))
}

// has checks that every group has what the loss needs.
func (b *Batch) has(n Need, l Loss) error {
	if n == Labels && !b.Labelled && len(b.Groups) > 0 {
		return fmt.Errorf("reward: micro-batch with group %d has answers without labels, want one of each for the loss %s", b.Groups[0], l.Name())
	}
	for i, group := range b.Groups {
		answers, pairs := span(b.AnswerEnds, i), span(b.PairEnds, i)
		if n == Comparisons && pairs == 0 || n == Ranking && (answers < 2 || pairs != answers*(answers-1)/2) {
			return fmt.Errorf("reward: group %d has %d answers and %d comparisons, want %v for the loss %s", group, answers, pairs, n, l.Name())
		}
	}
	return nil
}

// Backward implements train.Stage.
func (s *stage) Backward(micro int, seed float64) error {
	b := &s.step.Micro[micro]
	loss, err := s.prog.compute(b, seed*s.scale())
	if err != nil {
		return fmt.Errorf("reward: micro-batch %d: %w", micro, err)
	}
	s.loss += loss * seed * s.scale()
	return s.seen.add(&s.metrics, s.prog, b)
}

// scale makes a mean of micro-batches their sum.
func (s *stage) scale() float64 {
	if s.opts.SumOfMeans {
		return float64(len(s.step.Micro))
	}
	return 1
}

// Collect implements train.Stage.
func (s *stage) Collect(m *train.Metrics) error {
	m.Set("loss", s.loss)
	for name, value := range s.metrics.All() {
		m.Set(name, value)
	}
	return nil
}

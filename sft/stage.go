package sft

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// stage implements train.Stage.
type stage struct {
	policy Policy
	opts   Options
	src    data.StepSource
	params []*tensor.Param
	list   []train.Parameter
	prog   *program
	arena  *tensor.Arena

	step  data.Step
	count uint64 // optimizer steps begun: keys dropout and noise

	loss, entropy, hits, balance, weight float64 // sums over the step so far
}

// Name is "sft".
func (s *stage) Name() string { return "sft" }

// Parameters implements train.Stage.
func (s *stage) Parameters() []train.Parameter { return s.list }

// Next implements train.Stage.
func (s *stage) Next(ctx context.Context, b *train.Batch) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sft: %w", err)
	}
	if err := s.src.Next(&s.step); err != nil {
		return err
	}
	s.count++
	s.loss, s.entropy, s.hits, s.balance, s.weight = 0, 0, 0, 0, 0
	b.Weights = b.Weights[:0]
	for i := range s.step.Micro {
		b.Weights = append(b.Weights, sumWeights(s.step.Micro[i].Weights))
	}
	b.Tokens, b.Epoch = s.step.Tokens, s.step.Epoch
	return nil
}

func sumWeights(w []float32) float64 {
	sum := 0.0
	for _, x := range w {
		sum += float64(x)
	}
	return sum
}

// Backward implements train.Stage.
func (s *stage) Backward(micro int, seed float64) error {
	b := &s.step.Micro[micro]
	s.prog.run.SetRandom(s.opts.Seed, s.count<<16|uint64(micro))
	loss, err := s.prog.compute(b, seed)
	if err != nil {
		return fmt.Errorf("sft: micro-batch %d: %w", micro, err)
	}
	entropy, hits, err := s.prog.statistics(b)
	if err != nil {
		return err
	}
	s.loss += loss * seed
	w := sumWeights(b.Weights)
	if w == 0 {
		return nil
	}
	share := 1.0 // of a token in the means that are logged
	if s.opts.MicroMeans {
		share = 1 / w
	}
	if s.prog.balance != nil {
		balance, err := scalar(s.prog, s.prog.balance)
		if err != nil {
			return err
		}
		s.balance += balance * w * share
	}
	s.entropy += entropy * share
	s.hits += hits * share
	s.weight += w * share
	return nil
}

// Collect implements train.Stage.
func (s *stage) Collect(m *train.Metrics) error {
	m.Set("loss", s.loss)
	if s.weight > 0 {
		m.Set("entropy", s.entropy/s.weight)
		m.Set("mean_token_accuracy", s.hits/s.weight)
		if s.prog.balance != nil {
			m.Set("aux_loss", s.balance/s.weight)
		}
	}
	return nil
}

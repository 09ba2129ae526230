package rlhf

import (
	"fmt"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
)

// scorer computes a number of each token of completions under a policy as it stands,
// at the temperature of sampling: its log-probability, or another statistic.
type scorer struct {
	run *tensor.Program
	policy.Texts
	value  *tensor.Node // (M)
	micro  []microBatch
	values []float64
}

func newScorer(o *Options, arena *tensor.Arena, of func(g *tensor.Graph, x *policy.Texts) *tensor.Node) (*scorer, error) {
	s := &scorer{}
	g, err := tensor.Build(func(g *tensor.Graph) {
		s.Declare(g, o.size().texts())
		s.value = of(g, &s.Texts)
	})
	if err != nil {
		return nil, err
	}
	s.run, err = tensor.Compile(g, tensor.Nodes{s.value}, tensor.CompileOptions{Device: o.Device, Debug: o.Debug, Arena: arena, Axes: s.Axes(nil, nil)})
	return s, err
}

// newPolicyScorer computes a statistic of a model's distribution.
func newPolicyScorer(m model.Model, adapter string, o *Options, arena *tensor.Arena, of func(tensor.LogProbs) *tensor.Node) (*scorer, error) {
	return newScorer(o, arena, func(g *tensor.Graph, x *policy.Texts) *tensor.Node {
		return of(distribution(m, x.Inputs(adapter), g, o.Generate.Temperature).LogProbs(x.Rows, x.Targets))
	})
}

// logProb is what scorers usually compute.
func logProb(lp tensor.LogProbs) *tensor.Node { return lp.LogProb }

// score calls set with the numbers of every completion.
func (s *scorer) score(l *layout, list []*rollout.Completion, set func(c *rollout.Completion, values []float64)) error {
	var err error
	if s.micro, err = l.pack(s.micro, list); err != nil {
		return err
	}
	for i := range s.micro {
		b := &s.micro[i]
		if len(b.Targets) == 0 {
			for _, c := range b.rows {
				set(c, nil)
			}
			continue
		}
		if err := s.Bind(s.run, &b.Packed); err != nil {
			return fmt.Errorf("rlhf: %w", err)
		}
		if err := s.run.Run(); err != nil {
			return err
		}
		if s.values, err = policy.AppendValues(s.values[:0], s.run, s.value); err != nil {
			return err
		}
		for k, c := range b.rows {
			lo, hi := b.span(k)
			set(c, append([]float64{}, s.values[lo:hi]...))
		}
	}
	return nil
}

package prefs

import (
	"fmt"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model/auto"
)

// Policy is what the flags train: the model with -full, else the adapter in
// -adapter, or a fresh one.
func Policy(f *cli.Flags, c *auto.Checkpoint) (dpo.Policy, error) {
	p := dpo.Policy{Model: c.Model}
	if f.Full {
		return p, nil
	}
	var err error
	p.Adapter, err = f.Attach(c.Model)
	return p, err
}

// LearningRate is -lr; 0 is 1e-3 for an adapter of the embedded model, which is
// small, and else what cli.Flags says.
func LearningRate(f *cli.Flags) float64 { return f.LearningRateOr(1e-3) }

// Batchers pack the pairs into micro-batches: those to learn from without end, those
// to measure on once.
func (p *Pairs) Batchers(f *cli.Flags, m *cli.Memory) (training, evaluation *dpo.Batcher, err error) {
	longest := Longest(p.Training, p.Evaluation)
	o := dpo.BatchOptions{TokensPerStep: f.BatchTokens, TokensPerMicro: max(longest, m.Micro(longest)), Seed: f.Seed}
	if training, err = dpo.NewBatcher(p.Training, o); err != nil {
		return nil, nil, err
	}
	o.Seed, o.Epochs, o.Sequential = 0, 1, true
	if evaluation, err = dpo.NewBatcher(p.Evaluation, o); err != nil {
		return nil, nil, fmt.Errorf("evaluation rows: %w", err)
	}
	return training, evaluation, nil
}

// Batchers is Pairs.Batchers for labelled answers; those to measure on may be all
// of one class.
func (l *Labels) Batchers(f *cli.Flags, m *cli.Memory) (training, evaluation *unpaired.Batcher, err error) {
	longest := LongestRow(l.Training, l.Evaluation)
	o := unpaired.BatchOptions{TokensPerStep: f.BatchTokens, TokensPerMicro: max(longest, m.Micro(longest)), Seed: f.Seed}
	if training, err = unpaired.NewBatcher(l.Training, o); err != nil {
		return nil, nil, err
	}
	o.Seed, o.Epochs, o.Sequential, o.OneClass = 0, 1, true, true
	if evaluation, err = unpaired.NewBatcher(l.Evaluation, o); err != nil {
		return nil, nil, fmt.Errorf("evaluation rows: %w", err)
	}
	return training, evaluation, nil
}

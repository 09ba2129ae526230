package prefs

import (
	"context"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/train"
)

// agree books how often the policy finds the chosen answer the likelier one.
func agree(m *train.Metrics, now []sums) {
	right := 0
	for _, s := range now {
		if s.chosen > s.rejected {
			right++
		}
	}
	const confidence = 0.95
	in := eval.Wilson(right, len(now), confidence)
	m.Set("logps/accuracy", float64(right)/float64(max(1, len(now))))
	m.Set("logps/accuracy_low", in.Low)
	m.Set("logps/accuracy_high", in.High)
}

// KL estimates how far the policy has moved from its reference: the mean of
// log π(y|x) − log π₀(y|x), in nats a text, over answers that the policy samples to
// held-out prompts, the same random numbers every time. It is a train.Evaluator;
// its metric is objective/kl, TRL's name. Call Against once the reference is known.
type KL struct {
	gen       *generate.Generator
	prompts   [][]int32
	seed      uint64
	most      int
	reference *dpo.Scorer
	flags     *cli.Flags
}

const (
	sampledPrompts = 32
	mostSampled    = 64 // tokens of an answer
)

// NewKL prepares samples of the policy's answers to the prompts of pairs.
func NewKL(f *cli.Flags, p dpo.Policy, pairs []dpo.Pair) (*KL, error) {
	k := &KL{seed: f.Seed, flags: f, most: mostSampled}
	for _, q := range pairs[:min(sampledPrompts, len(pairs))] {
		k.prompts = append(k.prompts, q.Prompt)
	}
	var err error
	k.gen, err = generate.New(p.Model, generate.Config{Adapter: p.AdapterName(), Sequences: 16, Context: longest(k.prompts) + k.most, Device: f.Device()})
	return k, err
}

// Against names the reference. One that is not there any more, of a model whose
// weights are all trained, is not measured against.
func (k *KL) Against(p dpo.Policy, r *dpo.Frozen) (err error) {
	if r.Model == nil || p.Adapter == nil && r.Model == p.Model {
		return nil
	}
	o := dpo.ScoreOptions{MicroTokens: max(512, longest(k.prompts)+k.most), Device: k.flags.Device()}
	k.reference, err = dpo.NewScorer(r.Model, r.Adapter, o)
	return err
}

// Evaluate implements train.Evaluator.
func (k *KL) Evaluate(ctx context.Context, m *train.Metrics) error {
	if k.reference == nil {
		return nil
	}
	texts, err := k.gen.Generate(ctx, k.prompts, generate.Options{MaxTokens: k.most, Temperature: 1, Seed: k.seed})
	if err != nil {
		return err
	}
	pairs := make([]dpo.Pair, len(texts))
	for i := range texts {
		pairs[i] = dpo.Pair{Prompt: k.prompts[i], Chosen: texts[i].IDs()}
	}
	scores, err := k.reference.Score(ctx, pairs)
	if err != nil {
		return fmt.Errorf("kl: %w", err)
	}
	for i := range texts {
		own := 0.0
		for _, t := range texts[i].Tokens {
			own += t.LogProb
		}
		m.Add("objective/kl", own-total(scores.Chosen(i)), 1)
	}
	return nil
}

// Close releases the memory of generation.
func (k *KL) Close() error { return k.gen.Close() }

// Evaluators are several as one, in order.
type Evaluators []train.Evaluator

// Evaluate implements train.Evaluator.
func (list Evaluators) Evaluate(ctx context.Context, m *train.Metrics) error {
	var faults []error
	for _, e := range list {
		faults = append(faults, e.Evaluate(ctx, m))
	}
	return errors.Join(faults...)
}

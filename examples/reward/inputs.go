package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/train"
)

// inputs are the rows of a run as tokens.
type inputs struct {
	training, held []reward.Group
	texts          []reward.Row // of those held out
	report         reward.Report
}

// read reads and tokenises the rows that the loss learns from.
func read(ctx context.Context, c *auto.Checkpoint, l reward.Loss) (*inputs, error) {
	training, held, err := rows(l)
	if err != nil {
		return nil, err
	}
	o := reward.PrepareOptions{MaxLength: flags.MaxLength}
	if _, text, ok := c.Tokenizer.EOS(); ok {
		o.EOS = text
	}
	if o.Renderer, err = flags.Renderer(c); err != nil {
		return nil, err
	}
	in := &inputs{texts: held}
	if in.training, in.report, err = reward.Prepare(ctx, data.Slice[reward.Row](training), c.Tokenizer, o); err != nil {
		return nil, err
	}
	if len(held) > 0 {
		in.held, _, err = reward.Prepare(ctx, data.Slice[reward.Row](held), c.Tokenizer, o)
	}
	return in, err
}

// rows reads what the loss learns from.
func rows(l reward.Loss) (training, held []reward.Row, err error) {
	switch {
	case *loss == "bradley_terry":
		return convert(data.OpenPairs, sums, reward.Pairs)
	case l.Traits().LogOdds:
		return convert(data.OpenLabelled, judged, reward.Judged)
	}
	return convert(data.OpenGraded, graded, reward.Graded)
}

// convert reads rows of one kind as those of the reward model.
func convert[T any](open func(string, data.ReadOptions) (data.Source[T], error), embedded func() (training, held []T), as func(data.Source[T]) data.Source[reward.Row]) (training, held []reward.Row, err error) {
	a, b, err := cli.Examples(&flags, open, embedded)
	if err != nil {
		return nil, nil, err
	}
	if training, err = data.Collect(as(data.Slice[T](a))); err != nil {
		return nil, nil, err
	}
	held, err = data.Collect(as(data.Slice[T](b)))
	return training, held, err
}

// sums are comparisons of a right and a wrong sum, for the embedded model.
func sums() (training, held []data.PairRow) {
	a, b := tiny.Rows()
	return wrong(a, 1), wrong(b, 2)
}

// wrong puts a wrong answer beside the right one of each row.
func wrong(rows []data.Row, seed uint64) []data.PairRow {
	rng := rand.New(rand.NewPCG(seed, 0))
	var list []data.PairRow
	for _, r := range rows {
		var right int
		if _, err := fmt.Sscan(r.Completion, &right); err != nil {
			continue // no number: not a sum
		}
		other := right + 10*(1+rng.IntN(3)) + rng.IntN(10)
		if rng.IntN(2) == 0 && right > 60 {
			other = right - 10*(1+rng.IntN(3)) - rng.IntN(10)
		}
		list = append(list, data.PairRow{At: r.At, Prompt: r.Prompt, Chosen: r.Completion, Rejected: fmt.Sprint(other)})
	}
	return list
}

// judged are right and wrong sums with labels.
func judged() (training, held []data.LabelledRow) {
	each := func(pairs []data.PairRow) (list []data.LabelledRow) {
		for i, p := range pairs {
			right, text := i%2 == 0, p.Rejected
			if right {
				text = p.Chosen
			}
			list = append(list, data.LabelledRow{At: p.At, Prompt: p.Prompt, Completion: text, Label: right})
		}
		return list
	}
	a, b := sums()
	return each(a), each(b)
}

// graded are sums with three answers: the right one, one a little off, one far off.
func graded() (training, held []data.GradedRow) {
	each := func(pairs []data.PairRow, seed uint64) (list []data.GradedRow) {
		rng := rand.New(rand.NewPCG(seed, 1))
		for _, p := range pairs {
			var right int
			if _, err := fmt.Sscan(p.Chosen, &right); err != nil {
				continue // no number: not a sum
			}
			far := right + 60 + rng.IntN(20)
			list = append(list, data.GradedRow{At: p.At, Prompt: p.Prompt, Completions: []string{p.Chosen, p.Rejected, fmt.Sprint(far)}, Scores: []float64{1, 0.5, 0}})
		}
		return list
	}
	a, b := sums()
	return each(a, 1), each(b, 2)
}

// batches packs groups.
func (in *inputs) batches(groups []reward.Group, o reward.BatchOptions, l reward.Loss) (*reward.Batcher, error) {
	o.TokensPerMicro = memory.Micro(cli.LongestGroup(in.training, in.held))
	o.Seed, o.Separate, o.ScoreAt = flags.Seed, *separate, l.Traits().ScoreAt
	return reward.NewBatcher(groups, o)
}

// sampler shows the scores of a few held-out answers.
type sampler struct {
	model *reward.Model
	rows  []reward.Row
}

// shown is the number of rows whose answers are scored as samples.
const shown = 3

func newSampler(n reward.Net, c *auto.Checkpoint, rows []reward.Row) (*sampler, error) {
	o := reward.ModelOptions{Encoder: c.Tokenizer, Tokens: max(1024, 2*flags.MaxLength), Device: flags.Device()}
	if _, text, ok := c.Tokenizer.EOS(); ok {
		o.EOS = text
	}
	m, err := reward.NewModel(n, o)
	return &sampler{m, rows[:min(shown, len(rows))]}, err
}

// Sample implements train.Sampler.
func (s *sampler) Sample(ctx context.Context) (list []train.Sample, err error) {
	for _, r := range s.rows {
		for i, a := range r.Answers {
			if a.Prompt == "" {
				continue // a conversation, whose text depends on the template
			}
			score, err := s.model.Verify(ctx, reward.Sample{Prompt: a.Prompt, Completion: a.Completion})
			if err != nil {
				return nil, err
			}
			sample := train.Sample{Prompt: a.Prompt, Completion: a.Completion, Scores: map[string]float64{"reward": score}}
			if r.Labels == nil {
				sample.Scores["rank"] = float64(i + 1)
			} else {
				sample.Scores["label"] = r.Labels[i]
			}
			list = append(list, sample)
		}
	}
	return list, nil
}

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/process"
	"github.com/posttrain/posttrain/train"
)

// inputs are the solutions of a run as tokens.
type inputs struct {
	training, held []reward.Group
	texts          []data.StepRow // of those held out
	report         process.Report
}

// format is how solutions are tokenised: as TRL does, behind a BOS token where
// there is one.
func format(c *auto.Checkpoint) process.Format {
	f := process.Format{Separator: *separator}
	if id, _, ok := c.Tokenizer.BOS(); ok {
		f.Start = []int32{id}
	}
	return f
}

// read reads and tokenises the solutions.
func read(ctx context.Context, c *auto.Checkpoint) (*inputs, error) {
	training, held, err := cli.Examples(&flags, data.OpenSteps, sums)
	if err != nil {
		return nil, err
	}
	o := process.PrepareOptions{Format: format(c), MaxLength: flags.MaxLength, LastStepOnly: *lastOnly}
	in := &inputs{texts: held}
	if in.training, in.report, err = process.Prepare(ctx, process.Rows(data.Slice[data.StepRow](training)), c.Tokenizer, o); err != nil {
		return nil, err
	}
	if len(held) > 0 {
		in.held, _, err = process.Prepare(ctx, process.Rows(data.Slice[data.StepRow](held)), c.Tokenizer, o)
	}
	return in, err
}

// sums are additions of three numbers in two steps for the embedded model, every
// other one with a mistake; all steps from a mistake on are wrong.
func sums() (training, held []data.StepRow) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 3200 {
		a, b, c := 10+rng.IntN(30), 10+rng.IntN(30), 10+rng.IntN(30)
		first, right := a+b, [2]bool{true, true}
		mistake := rng.IntN(4) // in the first step, in the second, none
		if mistake == 0 {
			first += 10 * (1 + rng.IntN(3))
			right = [2]bool{}
		}
		second := first + c
		if mistake == 1 {
			second += 10 * (1 + rng.IntN(3))
			right[1] = false
		}
		row := data.StepRow{
			At: data.Place{File: "embedded additions", Line: i + 1}, Prompt: fmt.Sprintf("%d+%d+%d=\n", a, b, c),
			Completions: []string{fmt.Sprintf("%d+%d=%d", a, b, first), fmt.Sprintf("%d+%d=%d", first, c, second)}, Labels: right[:],
		}
		if i < 3000 {
			training = append(training, row)
		} else {
			held = append(held, row)
		}
	}
	return training, held
}

// batches packs solutions.
func (in *inputs) batches(groups []reward.Group, o reward.BatchOptions) (*reward.Batcher, error) {
	o.TokensPerMicro = memory.Micro(cli.LongestGroup(in.training, in.held))
	o.ScoreAt = reward.MarkedTokens
	return reward.NewBatcher(groups, o)
}

// solutions is how often a solution without a wrong step scores higher than one
// with, among those held out; NaN when there are none of either kind.
func (in *inputs) solutions(ctx context.Context, judge *process.Model, a process.Aggregation) (float64, error) {
	var list []process.Solution
	var labels []float64
	for _, r := range in.texts {
		if len(r.Completions) == 0 {
			continue // dropped in training, too
		}
		good := 1.0
		for _, ok := range r.Labels {
			if !ok {
				good = 0
			}
		}
		list, labels = append(list, process.Solution{Prompt: r.Prompt, Steps: r.Completions}), append(labels, good)
	}
	steps, err := judge.Score(ctx, list)
	if err != nil {
		return 0, err
	}
	scores := make([]float64, len(steps))
	for i, s := range steps {
		scores[i] = a.Of(s)
	}
	c, err := reward.Calibrate(scores, labels)
	return c.AUC, err
}

// sampler shows how the steps of a few held-out solutions are judged.
type sampler struct {
	judge *process.Model
	rows  []data.StepRow
}

// shown is the number of solutions that are judged as samples.
const shown = 3

// Sample implements train.Sampler.
func (s sampler) Sample(ctx context.Context) (list []train.Sample, err error) {
	for _, r := range s.rows[:min(shown, len(s.rows))] {
		if len(r.Completions) == 0 {
			continue
		}
		steps, err := s.judge.Score(ctx, []process.Solution{{Prompt: r.Prompt, Steps: r.Completions}})
		if err != nil {
			return nil, err
		}
		sample := train.Sample{Prompt: r.Prompt, Completion: strings.Join(r.Completions, *separator), Scores: map[string]float64{}}
		for i, p := range steps[0] {
			sample.Scores[fmt.Sprintf("step%d", i+1)] = p
			sample.Finish += map[bool]string{true: "+", false: "-"}[r.Labels[i]]
		}
		list = append(list, sample)
	}
	return list, nil
}

package prefs

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/chat"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/model/auto"
)

// held is the share of -data that is held out when there is no -eval-data: there are
// fewer comparisons than rows to imitate.
const held = 0.1

// Pairs are the comparisons of a run.
type Pairs struct {
	Training, Evaluation []dpo.Pair
	Report               dpo.Report // of the training rows
}

// OpenPairs reads and tokenises the comparisons of -data and -eval-data. Without
// -data they are the sums of package tiny: the right result is preferred to a wrong
// one.
func OpenPairs(ctx context.Context, f *cli.Flags, c *auto.Checkpoint) (*Pairs, error) {
	training, evaluation, err := open(f, data.OpenPairs, sumPairs)
	if err != nil {
		return nil, err
	}
	o := dpo.PrepareOptions{MaxLength: f.MaxLength, EOS: endOf(c)}
	if o.Renderer, err = renderer(f, c, training[0].At, training[0].PromptMessages); err != nil {
		return nil, err
	}
	p := &Pairs{}
	if p.Training, p.Report, err = dpo.Prepare(ctx, data.Slice[data.PairRow](training), c.Tokenizer, o); err == nil {
		p.Evaluation, _, err = dpo.Prepare(ctx, data.Slice[data.PairRow](evaluation), c.Tokenizer, o)
	}
	return p, err
}

// Labels are the labelled answers of a run.
type Labels struct {
	Training, Evaluation []unpaired.Row
	Report               unpaired.Report // of the training rows
}

// OpenLabels is OpenPairs for labelled answers.
func OpenLabels(ctx context.Context, f *cli.Flags, c *auto.Checkpoint) (*Labels, error) {
	training, evaluation, err := open(f, data.OpenLabelled, sumLabels)
	if err != nil {
		return nil, err
	}
	o := unpaired.PrepareOptions{MaxLength: f.MaxLength, EOS: endOf(c)}
	if o.Renderer, err = renderer(f, c, training[0].At, training[0].PromptMessages); err != nil {
		return nil, err
	}
	l := &Labels{}
	if l.Training, l.Report, err = unpaired.Prepare(ctx, data.Slice[data.LabelledRow](training), c.Tokenizer, o); err == nil {
		l.Evaluation, _, err = unpaired.Prepare(ctx, data.Slice[data.LabelledRow](evaluation), c.Tokenizer, o)
	}
	return l, err
}

// open reads the rows of a run with one reader, or takes the embedded ones.
func open[T any](f *cli.Flags, read func(string, data.ReadOptions) (data.Source[T], error), embedded func(rows []data.Row) []T) (training, evaluation []T, err error) {
	training, evaluation, err = cli.ExamplesWithout(f, held, read, func() ([]T, []T) {
		a, b := tiny.Rows()
		return embedded(a), embedded(b)
	})
	if err == nil && len(training)*len(evaluation) == 0 {
		err = fmt.Errorf("-data: got %d rows after %d were held out, want some of each (or -eval-data)", len(training), len(evaluation))
	}
	return training, evaluation, err
}

func endOf(c *auto.Checkpoint) string {
	_, text, _ := c.Tokenizer.EOS()
	return text
}

// renderer renders conversations; without a template they are refused.
func renderer(f *cli.Flags, c *auto.Checkpoint, at data.Place, messages []data.Message) (data.Renderer, error) {
	r, err := f.Renderer(c)
	if err == nil && r == nil && len(messages) > 0 {
		err = fmt.Errorf("%v: got a conversation and a model without a chat template, want -template with one of %s", at, strings.Join(chat.Builtins(), ", "))
	}
	return r, err
}

// wrong is a result as near the right one as the embedded model's own mistakes,
// which depends on the place alone.
func wrong(r data.Row) string {
	n, _ := strconv.Atoi(strings.TrimSpace(r.Completion))
	off := [...]int{1, 10, 2}[r.At.Line%3]
	if r.At.Line%2 == 0 {
		off = -off
	}
	return strconv.Itoa(n + off)
}

func sumPairs(rows []data.Row) []data.PairRow {
	pairs := make([]data.PairRow, len(rows))
	for i, r := range rows {
		pairs[i] = data.PairRow{At: r.At, Prompt: r.Prompt, Chosen: r.Completion, Rejected: wrong(r)}
	}
	return pairs
}

func sumLabels(rows []data.Row) []data.LabelledRow {
	labels := make([]data.LabelledRow, len(rows))
	for i, r := range rows {
		labels[i] = data.LabelledRow{At: r.At, Prompt: r.Prompt, Completion: r.Completion, Label: i%2 == 0}
		if i%2 == 1 {
			labels[i].Completion = wrong(r)
		}
	}
	return labels
}

// Longest is the most tokens a pair of several lists takes in a micro-batch.
func Longest(lists ...[]dpo.Pair) int {
	n := 0
	for _, list := range lists {
		for _, p := range list {
			n = max(n, p.Len()-len(p.Prompt))
		}
	}
	return n
}

// LongestRow is the length of the longest row of several lists in tokens.
func LongestRow(lists ...[]unpaired.Row) int {
	n := 0
	for _, list := range lists {
		for _, r := range list {
			n = max(n, r.Len())
		}
	}
	return n
}

// FilterPerplexity drops training pairs whose chosen answer is above the bound under
// the policy as it is.
func (p *Pairs) FilterPerplexity(ctx context.Context, f *cli.Flags, policy dpo.Policy, bound float64) (dpo.PerplexityReport, error) {
	s, err := dpo.NewScorer(policy.Model, policy.AdapterName(), dpo.ScoreOptions{MicroTokens: max(512, Longest(p.Training)), Device: f.Device()})
	if err != nil {
		return dpo.PerplexityReport{}, err
	}
	scores, err := s.Score(ctx, p.Training)
	if err != nil {
		return dpo.PerplexityReport{}, err
	}
	kept, r := dpo.FilterPerplexity(scores, bound)
	if len(kept) == 0 {
		return r, fmt.Errorf("-perplexity: got %v, want a bound that some pair is below", r)
	}
	p.Training = kept
	return r, nil
}

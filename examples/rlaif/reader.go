package main

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/online"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/rlhf/feedback"
)

// embedded is what the command line calls the embedded tiny model as a judge.
const embedded = "embedded"

// reader is a language model that compares, criticises and revises.
func reader(path string) (feedback.Judge, feedback.Writer, func() error, error) {
	if path == embedded {
		path = ""
	}
	c, err := cli.OpenModel(path, auto.Options{})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("-judge: %w", err)
	}
	compare, err := online.NewReader(c.Model, "", c.Tokenizer, online.ReaderOptions{AddSpecial: true, Score: dpo.ScoreOptions{MicroTokens: 4096, Device: flags.Device()}})
	if err != nil {
		return nil, nil, nil, err
	}
	g, err := generate.New(c.Model, generate.Config{Sequences: 16, Context: 4 * flags.MaxLength, Device: flags.Device(), Decode: generate.Text(c.Tokenizer.NewStream)})
	if err != nil {
		return nil, nil, nil, err
	}
	w, err := feedback.NewWriter(g, c.Tokenizer, generate.Options{MaxTokens: flags.MaxLength, Temperature: 0.7}, true)
	j := feedback.JudgeFunc("ai", func(ctx context.Context, duels []feedback.Duel) ([]float64, error) {
		shown := make([]online.Duel, len(duels))
		for i, d := range duels { // the right answer is not shown: the judge is to find out
			shown[i] = online.Duel{Question: online.Question{Text: d.Prompt}, First: online.Answer{Text: d.First}, Second: online.Answer{Text: d.Second}}
		}
		return compare(ctx, shown)
	})
	return j, w, func() error { g.Close(); return c.Close() }, err
}

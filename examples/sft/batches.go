package main

import (
	"context"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model/auto"
)

// source is what training draws from: a data.Batcher or a data.Stream.
type source interface {
	data.StepSource
	Options() data.BatchOptions
}

// batches opens the training data, whole or as a stream, and the evaluation data.
func batches(ctx context.Context, c *auto.Checkpoint) (source, *cli.Inputs, error) {
	prepare, o := data.PrepareOptions{Loss: target()}, data.BatchOptions{TokensPerStep: flags.BatchTokens, Seed: flags.Seed}
	if *stream {
		o.TokensPerMicro = max(memory.MicroTokens, flags.MaxLength)
		s, in, err := flags.Stream(ctx, c, prepare, o)
		return s, in, err
	}
	in, err := flags.Inputs(ctx, c, prepare)
	if err != nil {
		return nil, nil, err
	}
	o.TokensPerMicro = max(in.Longest(), memory.Micro(in.Longest()))
	b, err := data.NewBatcher(in.Training, o)
	return b, in, err
}

package cli

import (
	"context"
	"errors"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model/auto"
)

// Stream reads the training rows as training goes, for files larger than memory,
// and the evaluation rows of -eval-data at once. Of o, fields that flags or the
// model decide are filled in.
func (f *Flags) Stream(ctx context.Context, c *auto.Checkpoint, o data.PrepareOptions, b data.BatchOptions) (*data.Stream, *Inputs, error) {
	if f.Data == "" || f.Limit > 0 {
		return nil, nil, errors.New("-stream: want a file in -data and no -limit")
	}
	in := &Inputs{flags: f, from: c}
	var err error
	if f.EvalData != "" {
		if in.Rows, err = readRows(data.Open, f.EvalData, f.EvalLimit); err != nil {
			return nil, nil, err
		}
	}
	if o, err = f.prepare(c, o); err != nil {
		return nil, nil, err
	}
	in.renderer = o.Renderer
	if err := errors.Join(templated(in.Rows, o), in.evaluate(ctx, o)); err != nil {
		return nil, nil, err
	}
	s, err := data.OpenStream([]data.StreamPart{{Path: f.Data}}, c.Tokenizer, data.StreamOptions{
		Read: data.ReadOptions{Formats: Formats()}, Prepare: o, Batch: b, Workers: f.Threads,
	})
	return s, in, err
}

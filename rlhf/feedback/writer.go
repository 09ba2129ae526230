package feedback

import (
	"context"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/generate"
)

// Writer continues texts.
type Writer interface {
	// Write returns one text a prompt; equal prompts and seeds give equal texts.
	Write(ctx context.Context, prompts []string, seed uint64) ([]string, error)
}

// NewWriter makes a Writer of a generator, which must decode. special puts the
// tokenizer's special tokens around prompts; a chat model wants a Writer that renders
// its template.
func NewWriter(g *generate.Generator, enc data.Encoder, o generate.Options, special bool) (Writer, error) {
	if g == nil || enc == nil || !g.Decodes() {
		return nil, errors.New("feedback: NewWriter: got no generator that decodes, or no tokenizer, want both")
	}
	return writer{g, enc, o, special}, o.Validate()
}

type writer struct {
	g       *generate.Generator
	enc     data.Encoder
	o       generate.Options
	special bool
}

// Write implements Writer.
func (w writer) Write(ctx context.Context, prompts []string, seed uint64) ([]string, error) {
	ids := make([][]int32, len(prompts))
	for i, p := range prompts {
		ids[i] = w.enc.AppendIDs(nil, p, w.special)
	}
	o := w.o
	o.Seed = seed
	list, err := w.g.Generate(ctx, ids, o)
	if err != nil {
		return nil, fmt.Errorf("feedback: %w", err)
	}
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].Text
	}
	return out, nil
}

package eval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"sort"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/train"
)

// Source is held-out data that ends and can be started again: a data.Batcher
// with one epoch.
type Source interface {
	data.StepSource
	Seek(data.Cursor) error
}

// Examples makes a Source of a dataset: every example once, in order, in
// micro-batches that fit o.
func Examples(set *data.Dataset, o ScoreOptions) (Source, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	return data.NewBatcher(set, data.BatchOptions{TokensPerStep: 4 * o.Tokens, TokensPerMicro: o.Tokens, MaxSegments: o.Segments, Sequential: true, Epochs: 1})
}

// Perplexity measures how surprised a model is by held-out examples: exp of the
// negative log-likelihood in nats over all target tokens (the end token among
// them where the data has one), divided by their number. It is one division for
// all examples, not a mean of their perplexities.
type Perplexity struct {
	scorer *Scorer
	src    Source
	boot   Bootstrap
	step   data.Step
	record[Measurement]
}

// NewPerplexity prepares scoring of src with m. Micro-batches of src must fit o.
func NewPerplexity(m model.Model, src Source, o ScoreOptions, b Bootstrap) (*Perplexity, error) {
	if src == nil {
		return nil, errors.New("eval: perplexity: got no source")
	}
	if err := b.Validate(); err != nil {
		return nil, err
	}
	s, err := NewScorer(m, o)
	if err != nil {
		return nil, err
	}
	return &Perplexity{scorer: s, src: src, boot: b}, nil
}

// Close releases the memory of scoring.
func (p *Perplexity) Close() error { return p.scorer.Close() }

// surprise is what is known of one example.
type surprise struct{ nll, tokens float64 }

// Measure scores every example; items are examples, in the order of their
// dataset indices.
func (p *Perplexity) Measure(ctx context.Context) (Measurement, error) {
	found := map[int32]surprise{}
	if err := p.score(ctx, found); err != nil {
		return Measurement{}, fmt.Errorf("eval: perplexity: %w", err)
	}
	m := Measurement{Name: "perplexity", Kind: KindPerplexity}
	for _, i := range slices.Sorted(maps.Keys(found)) {
		m.Num, m.Den = append(m.Num, found[i].nll), append(m.Den, found[i].tokens)
	}
	if m.Total() == 0 {
		return Measurement{}, fmt.Errorf("eval: perplexity: got %d examples without a target token: %w", m.Items(), data.ErrNoTargets)
	}
	return m, m.Validate()
}

func (p *Perplexity) score(ctx context.Context, found map[int32]surprise) error {
	if err := p.src.Seek(data.Cursor{}); err != nil {
		return err
	}
	for {
		switch err := p.src.Next(&p.step); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		for i := range p.step.Micro {
			if err := ctx.Err(); err != nil {
				return err
			}
			b := &p.step.Micro[i]
			logProbs, err := p.scorer.LogProbs(b)
			if err != nil {
				return err
			}
			addSurprise(found, b, logProbs)
		}
	}
}

// addSurprise books the targets of a micro-batch under their examples.
func addSurprise(found map[int32]surprise, b *data.Packed, logProbs []float64) {
	for j, row := range b.Rows {
		segment := sort.Search(len(b.Ends), func(s int) bool { return b.Ends[s] > row })
		example, w := b.Examples[segment], float64(b.Weights[j])
		if w == 0 {
			continue
		}
		x := found[example]
		found[example] = surprise{x.nll - w*logProbs[j], x.tokens + w}
	}
}

// Evaluate implements train.Evaluator: nll, and perplexity with its interval.
func (p *Perplexity) Evaluate(ctx context.Context, m *train.Metrics) error {
	got, err := p.Measure(ctx)
	if err != nil {
		return err
	}
	p.keep(got)
	e := got.Estimate(p.boot)
	m.Set("nll", math.Log(e.Value))
	m.Set("perplexity", e.Value)
	m.Set("perplexity_low", e.Low)
	m.Set("perplexity_high", e.High)
	return nil
}

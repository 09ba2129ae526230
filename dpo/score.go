package dpo

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// ScoreOptions size a Scorer. The zero value takes micro-batches of 2,048 tokens.
type ScoreOptions struct {
	// MicroTokens is the largest micro-batch, which the longest pair must fit; 0
	// means 2,048.
	MicroTokens int
	// Separate computes prompts once for each answer; see BatchOptions.
	Separate bool
	Device   *tensor.Device // nil means tensor.DefaultDevice
	Arena    *tensor.Arena  // memory to share with other programs; nil for its own
}

// Scorer computes how likely a policy that stands still finds the answers of
// pairs. Parameters are read live. It belongs to one goroutine at a time.
type Scorer struct {
	live *policy.Live
	opts ScoreOptions
}

// minPair is the least number of tokens of a pair: fewer pairs than
// MicroTokens/minPair fit a micro-batch.
const minPair = 2

// NewScorer compiles the forward pass of a model with the adapter of that name, ""
// for none.
func NewScorer(m model.Model, adapter string, o ScoreOptions) (*Scorer, error) {
	if o.MicroTokens == 0 {
		o.MicroTokens = 2048
	}
	if o.MicroTokens < minPair || o.MicroTokens > 1<<24 {
		return nil, fmt.Errorf("%w: dpo: ScoreOptions.MicroTokens: got %d, want %d to %d, or 0 for 2048", ErrOptions, o.MicroTokens, minPair, 1<<24)
	}
	if adapter != "" {
		if err := policy.Attached(m, adapter); err != nil {
			return nil, fmt.Errorf("%w: dpo: NewScorer: adapter: %w", ErrOptions, err)
		}
	}
	s := size{o.MicroTokens, o.MicroTokens / minPair}
	l, err := policy.NewLive(m, adapter, s.pass(), tensor.CompileOptions{Device: o.Device, Arena: o.Arena})
	return &Scorer{l, o}, err
}

// Scores are log-probabilities of the tokens of pairs' answers, in nats.
type Scores struct {
	pairs []Pair
	cache *cache
}

// Score computes the log-probabilities of every token of every answer. Cancelling
// ctx ends it between two micro-batches.
func (s *Scorer) Score(ctx context.Context, pairs []Pair) (*Scores, error) {
	walk, err := NewBatcher(pairs, BatchOptions{
		PairsPerStep: s.opts.MicroTokens / minPair, TokensPerMicro: s.opts.MicroTokens, Separate: s.opts.Separate, Epochs: 1, Sequential: true,
	})
	if err != nil {
		return nil, err
	}
	c, err := collect(ctx, live{s.live}, walk, len(pairs))
	return &Scores{pairs, c}, err
}

// collect scores all that a walk yields.
func collect(ctx context.Context, s scorer, walk StepSource, examples int) (*cache, error) {
	c := &cache{examples: make([][]float64, examples)}
	var step Step
	var all []float64
	for {
		err := walk.Next(&step)
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range step.Micro {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("dpo: %w", err)
			}
			b := &step.Micro[i]
			if all, err = s.score(all[:0], b); err != nil {
				return nil, fmt.Errorf("dpo: scores: %w", err)
			}
			if err := c.put(b, all); err != nil {
				return nil, err
			}
		}
	}
}

// Chosen are the log-probabilities of the tokens of the preferred answer of pair i;
// do not write.
func (s *Scores) Chosen(i int) []float64 { return s.cache.examples[i][:len(s.pairs[i].Chosen)] }

// Rejected are those of the other answer.
func (s *Scores) Rejected(i int) []float64 { return s.cache.examples[i][len(s.pairs[i].Chosen):] }

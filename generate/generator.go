package generate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/model"
)

// Generator decodes with one model. It owns a cache and belongs to one goroutine
// at a time. Parameters are read live: a generator made before a training step
// uses the weights after it.
type Generator struct {
	model   model.Model
	cfg     Config
	cache   *cache
	prefill *program // rows of prompts
	decode  *program // one row a sequence
	sampler sampler
	virtual []int32 // ids of the adapter's virtual tokens, which stand before every prompt
	busy    bool
}

// New prepares decoding with m. The cache takes 8 bytes a layer, sequence,
// context token and key feature of address space; memory is used as sequences
// grow into it.
func New(m model.Model, c Config) (*Generator, error) {
	if err := errors.Join(c.Validate(), checkAdapter(m, c.Adapter)); err != nil {
		return nil, err
	}
	virtual := model.VirtualIDs(nil, m, model.VirtualTokens(m, c.Adapter))
	c = c.withDefaults(m.Config(), len(virtual))
	g := &Generator{model: m, cfg: c, cache: newCache(m.Config(), c), virtual: virtual}
	prefill, decode := c.sizes()
	var err error
	if g.prefill, err = newProgram(g, prefill); err != nil {
		return nil, err
	}
	if g.decode, err = newProgram(g, decode); err != nil {
		return nil, errors.Join(err, g.prefill.program.Close())
	}
	return g, nil
}

// Close releases the cache.
func (g *Generator) Close() error {
	if g.cache == nil {
		return nil
	}
	g.cache = nil
	return errors.Join(g.prefill.program.Close(), g.decode.program.Close())
}

// Context is the number of tokens that a prompt and its completion may have
// together, besides virtual tokens of the adapter.
func (g *Generator) Context() int { return g.cfg.Context - len(g.virtual) }

// Decodes says whether tokens come with their text (Config.Decode).
func (g *Generator) Decodes() bool { return g.cfg.Decode != nil }

// Bytes is the memory of the cache, when full, and of the programs.
func (g *Generator) Bytes() int {
	if g.cache == nil {
		return 0
	}
	return g.cache.bytes() + max(g.prefill.program.Plan().Arena, g.decode.program.Plan().Arena)
}

// Generate continues every prompt and returns the completions in order. Prompts
// wait for a free sequence when there are more than Config.Sequences. It stops
// between two tokens when ctx ends.
func (g *Generator) Generate(ctx context.Context, prompts [][]int32, o Options) ([]Completion, error) {
	out := make([]Completion, len(prompts))
	texts := make([]strings.Builder, len(prompts))
	for ev, err := range g.run(ctx, prompts, o) {
		if err != nil {
			return nil, err
		}
		c := &out[ev.sequence]
		c.Tokens = append(c.Tokens, ev.token)
		texts[ev.sequence].WriteString(ev.token.Text)
		c.Finish = ev.token.Finish
	}
	for i := range out {
		out[i].Text = texts[i].String()
	}
	return out, nil
}

// Stream continues one prompt and yields its tokens as they are made. Breaking
// out of the loop is fine. Text that may belong to a stop string is held back,
// so a token's Text may be empty and the next one's longer.
func (g *Generator) Stream(ctx context.Context, prompt []int32, o Options) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		for ev, err := range g.run(ctx, [][]int32{prompt}, o) {
			if !yield(ev.token, err) || err != nil {
				return
			}
		}
	}
}

// event is one token of one sequence.
type event struct {
	sequence int
	token    Token
}

// run decodes all prompts and yields tokens in a fixed order: step by step, in
// each step by slot.
func (g *Generator) run(ctx context.Context, prompts [][]int32, o Options) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		if err := g.begin(prompts, o); err != nil {
			yield(event{}, err)
			return
		}
		defer func() { g.busy = false }()
		r := newRollout(g, prompts, o.withDefaults())
		for {
			if err := ctx.Err(); err != nil {
				yield(event{}, fmt.Errorf("generate: %w", err))
				return
			}
			more, err := r.advance()
			if err != nil {
				yield(event{}, err)
				return
			}
			for _, ev := range r.events {
				if !yield(ev, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

// begin checks a request and marks the generator as busy.
func (g *Generator) begin(prompts [][]int32, o Options) error {
	switch {
	case g.cache == nil:
		return ErrClosed
	case g.busy:
		return ErrBusy
	}
	err := errors.Join(o.Validate(), g.checkPrompts(prompts))
	if err == nil && len(o.Stop) > 0 && g.cfg.Decode == nil {
		err = errors.New("generate: Stop needs Config.Decode to turn ids into text")
	}
	g.busy = err == nil
	return err
}

func (g *Generator) checkPrompts(prompts [][]int32) error {
	v := int32(g.model.Config().VocabSize)
	for i, p := range prompts {
		if len(p) == 0 {
			return fmt.Errorf("generate: prompt %d is empty, want at least one token", i)
		}
		if len(p) >= g.Context() {
			return fmt.Errorf("%w: prompt %d has %d tokens, the context %d", ErrPromptTooLong, i, len(p), g.Context())
		}
		if at := slices.IndexFunc(p, func(id int32) bool { return id < 0 || id >= v }); at >= 0 {
			return fmt.Errorf("generate: prompt %d: id %d at position %d is outside the vocabulary of %d", i, p[at], at, v)
		}
	}
	return nil
}

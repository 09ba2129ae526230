package generate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// ErrPromptTooLong says that a prompt leaves no room in the cache.
var ErrPromptTooLong = errors.New("generate: prompt is too long")

// Config sizes a Generator. The zero value decodes up to 8 sequences at once of
// up to 2048 tokens each, or the model's own limit where that is smaller.
type Config struct {
	Adapter   string // active adapter; empty for the base model
	Sequences int    // decoded at once; 0 means 8
	Context   int    // tokens of prompt and completion together; 0 means min(2048, the model's limit)
	Chunk     int    // prompt tokens computed at once; 0 means 256
	Device    *tensor.Device
	Arena     *tensor.Arena
	Decode    Decoder // turns ids into text for stop strings and Token.Text; nil for ids only
}

// Decoder makes a streaming decoder of ids into text.
type Decoder interface{ NewStream() Stream }

// Stream turns ids into text piece by piece.
type Stream interface {
	Add(id int32) string // the text that becomes complete with id
	Flush() string       // what is left, incomplete characters replaced
}

func (c Config) withDefaults(m model.Model) Config {
	if c.Sequences == 0 {
		c.Sequences = 8
	}
	if c.Context == 0 {
		c.Context = 2048
		if limit := m.Config().MaxPositionEmbeddings; limit > 0 {
			c.Context = min(c.Context, limit)
		}
	}
	if c.Chunk == 0 {
		c.Chunk = 256
	}
	return c
}

// Validate reports everything wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	for name, n := range map[string]int{"Sequences": c.Sequences, "Context": c.Context, "Chunk": c.Chunk} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("generate: %s is %d, want a positive number or 0 for the default", name, n))
		}
	}
	return errors.Join(errs...)
}

// Generator decodes with one model. It owns a cache and belongs to one goroutine
// at a time. Parameters are read live: a generator made before a training step
// uses the weights after it.
type Generator struct {
	model model.Model
	cfg   Config
	step  *stepProgram
}

// New prepares decoding with m. The cache takes 8 bytes a layer, sequence,
// context token and key feature.
func New(m model.Model, c Config) (*Generator, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults(m)
	s, err := newStepProgram(m, c)
	if err != nil {
		return nil, err
	}
	return &Generator{model: m, cfg: c, step: s}, nil
}

// Close releases the cache.
func (g *Generator) Close() error { return g.step.close() }

// Generate continues every prompt and returns the completions in order. Prompts
// wait for a free sequence when there are more than Config.Sequences. It stops
// between two tokens when ctx ends.
func (g *Generator) Generate(ctx context.Context, prompts [][]int32, o Options) ([]Completion, error) {
	out := make([]Completion, len(prompts))
	for ev, err := range g.run(ctx, prompts, o) {
		if err != nil {
			return nil, err
		}
		c := &out[ev.sequence]
		c.Tokens = append(c.Tokens, ev.token)
		c.Text += ev.token.Text
		if ev.token.Finish != "" {
			c.Finish = ev.token.Finish
		}
	}
	return out, nil
}

// Stream continues one prompt and yields its tokens as they are made. The
// iterator is single-use; breaking out of it is fine.
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
		if err := errors.Join(o.Validate(), g.checkPrompts(prompts)); err != nil {
			yield(event{}, err)
			return
		}
		r := &rollout{g: g, opt: o.withDefaults(), prompts: prompts, slots: make([]*sequence, g.cfg.Sequences)}
		if !o.IgnoreEOS {
			r.stops = append(r.stops, g.model.Config().EOS...)
		}
		r.stops = append(r.stops, o.StopIDs...)
		for {
			if err := ctx.Err(); err != nil {
				yield(event{}, fmt.Errorf("generate: %w", err))
				return
			}
			r.admit()
			if !r.busy() {
				return
			}
			if err := r.advance(); err != nil {
				yield(event{}, err)
				return
			}
			for _, ev := range r.events {
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}

func (g *Generator) checkPrompts(prompts [][]int32) error {
	for i, p := range prompts {
		if len(p) == 0 {
			return fmt.Errorf("generate: prompt %d is empty, want at least one token", i)
		}
		if len(p) >= g.cfg.Context {
			return fmt.Errorf("%w: prompt %d has %d tokens, the context %d", ErrPromptTooLong, i, len(p), g.cfg.Context)
		}
		v := int32(g.model.Config().VocabSize)
		if at := slices.IndexFunc(p, func(id int32) bool { return id < 0 || id >= v }); at >= 0 {
			return fmt.Errorf("generate: prompt %d: id %d at position %d is outside the vocabulary of %d", i, p[at], at, v)
		}
	}
	return nil
}

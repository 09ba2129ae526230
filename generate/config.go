package generate

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// Errors that New and Generate wrap.
var (
	// ErrPromptTooLong says that a prompt leaves no room in the cache.
	ErrPromptTooLong = errors.New("generate: prompt is too long")
	// ErrNoAdapter says that the model has no adapter of that name.
	ErrNoAdapter = errors.New("generate: model has no such adapter")
	// ErrBusy says that a Generator was used while it was generating.
	ErrBusy = errors.New("generate: generator is in use")
	// ErrClosed says that a Generator was used after Close.
	ErrClosed = errors.New("generate: generator is closed")
	// ErrNotFinite says that the model computed a NaN or an infinity.
	ErrNotFinite = errors.New("generate: logits are not finite")
)

// Config sizes a Generator. The zero value decodes up to 8 sequences at once of
// up to 2048 tokens each, or the model's own limit where that is smaller.
type Config struct {
	Adapter   string // active adapter; empty for the base model
	Sequences int    // decoded at once; 0 means 8
	Context   int    // tokens of prompt and completion together, without virtual ones; 0 means min(2048, the model's limit); learned positions bound it
	Chunk     int    // prompt tokens computed at once; 0 means 256
	Device    *tensor.Device
	Arena     *tensor.Arena
	// Decode begins a new text: its streams turn ids into text for stop strings
	// and Token.Text. Nil is for ids only. For a *tokenizer.Tokenizer it is
	// Text(tok.NewStream).
	Decode func() Stream
}

// Stream turns ids into text piece by piece. *tokenizer.Stream is one.
type Stream interface {
	Add(id int32) string // the text that becomes complete with id
	Flush() string       // what is left, incomplete characters replaced
}

// Text adapts a function that returns a particular kind of Stream to
// Config.Decode.
func Text[S Stream](newStream func() S) func() Stream {
	return func() Stream { return newStream() }
}

// withDefaults fills in what was left out; Context has room for so many virtual
// tokens then.
func (c Config) withDefaults(m *model.Config, virtual int) Config {
	if c.Sequences == 0 {
		c.Sequences = 8
	}
	if c.Context == 0 {
		c.Context = 2048
		if limit := m.MaxPositionEmbeddings; limit > 0 && !m.RoPE.LengthDependent() {
			c.Context = min(c.Context, limit-virtual)
		}
	}
	c.Context += virtual
	if m.LearnedPositions {
		c.Context = min(c.Context, m.MaxPositionEmbeddings)
	}
	if c.Chunk == 0 {
		c.Chunk = 256
	}
	return c
}

// Largest sizes that are accepted; they keep the cache's size computable.
const (
	maxSequences = 1 << 16
	maxContext   = 1 << 24
)

// Validate reports everything wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	for _, f := range []struct {
		name   string
		n, max int
	}{{"Sequences", c.Sequences, maxSequences}, {"Context", c.Context, maxContext}, {"Chunk", c.Chunk, maxContext}} {
		if f.n < 0 || f.n > f.max {
			errs = append(errs, fmt.Errorf("generate: %s is %d, want 1 to %d, or 0 for the default", f.name, f.n, f.max))
		}
	}
	return errors.Join(errs...)
}

// checkAdapter fails when nothing in m has an adapter of that name: the base
// model would answer unnoticed. It also fails for a classifier.
func checkAdapter(m model.Model, name string) error {
	if m.Config().NoLanguageHead {
		return fmt.Errorf("generate: a classifier generates nothing, want a model with a language head")
	}
	if name == "" || model.HasAdapter(m, name) || model.VirtualTokens(m, name) > 0 {
		return nil
	}
	return fmt.Errorf("%w: %q", ErrNoAdapter, name)
}

package chat

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/posttrain/posttrain/data/chat/jinja"
)

// Errors that Parse and Render wrap.
var (
	ErrTemplate = jinja.ErrTemplate // syntax of the template
	ErrRaised   = jinja.ErrRaised   // the template called raise_exception
	ErrLimit    = jinja.ErrLimit    // the template used too much
	ErrValue    = jinja.ErrValue    // what Python would raise while rendering
)

// Options steers Parse. The zero value is the default.
type Options struct {
	// BOS, EOS, UNK and PAD are the texts of special tokens, seen by templates as
	// bos_token and so on. "" leaves a variable undefined, as transformers does
	// for tokenizers without that token.
	BOS, EOS, UNK, PAD string
	// Limits bounds what a template may use.
	Limits jinja.Limits
	// Now is the clock of strftime_now; nil refuses templates that ask for the
	// date, so that no rendering depends on the day it runs.
	Now func() time.Time
}

// Template is a compiled chat template. It is safe for concurrent use.
type Template struct {
	engine *jinja.Template
	tokens map[string]jinja.Value // special tokens
}

// Input is a conversation to render.
type Input struct {
	Messages []json.RawMessage // JSON objects; keys keep their order
	Tools    json.RawMessage   // list of tool descriptions; nil or null for none
	Args     json.RawMessage   // object with extra variables; nil or null for none
	// AddGenerationPrompt asks for the header of the answer that follows.
	AddGenerationPrompt bool
}

// Output is the rendered text; Spans are the byte ranges [start, end) of Text
// that {% generation %} blocks wrote, in order.
type Output struct {
	Text  string
	Spans [][2]int
}

// Parse compiles a chat template; name appears in errors.
func Parse(name, source string, o Options) (*Template, error) {
	engine, err := jinja.Parse(name, source, jinja.Options{Limits: o.Limits, Now: o.Now})
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	t := &Template{engine: engine, tokens: make(map[string]jinja.Value)}
	for _, token := range []struct{ name, text string }{
		{"bos_token", o.BOS}, {"eos_token", o.EOS}, {"unk_token", o.UNK}, {"pad_token", o.PAD},
	} {
		if token.text != "" {
			t.tokens[token.name] = jinja.String(token.text)
		}
	}
	return t, nil
}

// Marked reports whether the template has {% generation %} blocks, that is
// whether spans say what the assistant wrote.
func (t *Template) Marked() bool { return t.engine.Marked() }

// Render evaluates the template.
func (t *Template) Render(in Input) (Output, error) {
	vars, err := t.variables(in)
	if err != nil {
		return Output{}, err
	}
	return t.render(vars.all())
}

func (t *Template) render(vars map[string]jinja.Value) (Output, error) {
	out, err := t.engine.Render(vars)
	if err != nil {
		return Output{}, fmt.Errorf("chat: %w", err)
	}
	return Output{Text: out.Text, Spans: out.Spans}, nil
}

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
	fixed  map[string]jinja.Value // special tokens
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
	t := &Template{engine: engine, fixed: make(map[string]jinja.Value)}
	for name, text := range map[string]string{
		"bos_token": o.BOS, "eos_token": o.EOS, "unk_token": o.UNK, "pad_token": o.PAD,
	} {
		if text != "" {
			t.fixed[name] = jinja.String(text)
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
	out, err := t.engine.Render(vars)
	if err != nil {
		return Output{}, fmt.Errorf("chat: %w", err)
	}
	return Output{Text: out.Text, Spans: out.Spans}, nil
}

// variables are what the template sees. Tools and documents are None when absent,
// as transformers passes them.
func (t *Template) variables(in Input) (map[string]jinja.Value, error) {
	vars := map[string]jinja.Value{
		"tools":                 jinja.None(),
		"documents":             jinja.None(),
		"add_generation_prompt": jinja.Bool(in.AddGenerationPrompt),
	}
	for name, v := range t.fixed {
		vars[name] = v
	}
	messages := make([]jinja.Value, len(in.Messages))
	for i, raw := range in.Messages {
		m, err := jinja.FromJSON(raw)
		if err != nil {
			return nil, fmt.Errorf("chat: message %d: %w", i, err)
		}
		if !jinja.Fields(m, func(string, jinja.Value) {}) {
			return nil, fmt.Errorf("chat: message %d: got %.40q, want a JSON object", i, raw)
		}
		messages[i] = m
	}
	vars["messages"] = jinja.List(messages...)
	if len(in.Tools) > 0 {
		tools, err := jinja.FromJSON(in.Tools)
		if err != nil {
			return nil, fmt.Errorf("chat: tools: %w", err)
		}
		vars["tools"] = tools
	}
	return vars, addArgs(vars, in.Args)
}

// addArgs adds the members of args to vars.
func addArgs(vars map[string]jinja.Value, args json.RawMessage) error {
	if len(args) == 0 || string(args) == "null" {
		return nil
	}
	v, err := jinja.FromJSON(args)
	if err != nil {
		return fmt.Errorf("chat: args: %w", err)
	}
	if !jinja.Fields(v, func(key string, v jinja.Value) { vars[key] = v }) {
		return fmt.Errorf("chat: args: got %.40q, want a JSON object", args)
	}
	return nil
}

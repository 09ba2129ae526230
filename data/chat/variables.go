package chat

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/posttrain/posttrain/data/chat/jinja"
)

// variables are what a template sees of an input.
type variables struct {
	messages []jinja.Value
	prompt   bool
	rest     map[string]jinja.Value
}

// reserved are the variables that have fields of their own in Input.
var reserved = []string{"messages", "tools", "add_generation_prompt"}

// variables decodes an input. Tools and documents are None when absent, as
// transformers passes them.
func (t *Template) variables(in Input) (variables, error) {
	v := variables{messages: make([]jinja.Value, len(in.Messages)), prompt: in.AddGenerationPrompt, rest: maps.Clone(t.tokens)}
	v.rest["documents"] = jinja.None()
	for i, raw := range in.Messages {
		m, err := jinja.FromJSON(raw)
		if err != nil {
			return v, fmt.Errorf("chat: message %d: %w", i, err)
		}
		if !jinja.Fields(m, func(string, jinja.Value) {}) {
			return v, fmt.Errorf("chat: message %d: got %.40q, want a JSON object", i, raw)
		}
		v.messages[i] = m
	}
	if err := v.addArgs(in.Args); err != nil {
		return v, err
	}
	v.rest["tools"] = jinja.None()
	if len(in.Tools) > 0 {
		tools, err := jinja.FromJSON(in.Tools)
		if err != nil {
			return v, fmt.Errorf("chat: tools: %w", err)
		}
		v.rest["tools"] = tools
	}
	return v, nil
}

// addArgs adds the members of an object.
func (v *variables) addArgs(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	args, err := jinja.FromJSON(raw)
	if err != nil {
		return fmt.Errorf("chat: args: %w", err)
	}
	if !jinja.Fields(args, func(key string, value jinja.Value) { v.rest[key] = value }) {
		return fmt.Errorf("chat: args: got %.40q, want a JSON object", raw)
	}
	for _, name := range reserved {
		if _, ok := v.rest[name]; ok {
			return fmt.Errorf("chat: args: got the variable %q, want it in its own field of Input", name)
		}
	}
	return nil
}

// all returns the variables of the whole input.
func (v *variables) all() map[string]jinja.Value { return v.first(len(v.messages), v.prompt) }

// first returns the variables for the first n messages.
func (v *variables) first(n int, prompt bool) map[string]jinja.Value {
	vars := maps.Clone(v.rest)
	vars["messages"] = jinja.List(v.messages[:n:n]...)
	vars["add_generation_prompt"] = jinja.Bool(prompt)
	return vars
}

// role returns the role of a message, "" if it has none.
func role(message jinja.Value) string {
	name := ""
	jinja.Fields(message, func(key string, v jinja.Value) {
		if key == "role" {
			name, _ = jinja.Text(v)
		}
	})
	return name
}

package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/data/chat"
	"github.com/posttrain/posttrain/data/tokenizer"
)

// conversation keeps what was said.
type conversation struct {
	template *chat.Template // nil: every line stands alone
	words    *tokenizer.Tokenizer
	messages []json.RawMessage
	first    int // messages that are never forgotten: the system's
	answers  int
}

func message(role, content string) json.RawMessage {
	// Strings always encode.
	raw, _ := json.Marshal(struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}{role, content})
	return raw
}

// begin says the system message.
func (c *conversation) begin(system string) error {
	if system == "" {
		return nil
	}
	if c.template == nil {
		return fmt.Errorf("-system: got %q and a model without a chat template, want -template with one of %s", system, strings.Join(chat.Builtins(), ", "))
	}
	c.messages, c.first = append(c.messages, message("system", system)), 1
	return nil
}

// ask adds what the user says and returns the ids that the model continues. The
// oldest turns are forgotten until there are at most so many ids, if possible.
func (c *conversation) ask(text string, most int) ([]int32, error) {
	if c.template == nil {
		return c.words.Encode(text), nil
	}
	c.messages = append(c.messages, message("user", text))
	for {
		out, err := c.template.Render(chat.Input{Messages: c.messages, AddGenerationPrompt: true})
		if err != nil {
			return nil, err
		}
		// The template has written the special tokens.
		ids := c.words.AppendIDs(nil, out.Text, false)
		if len(ids) <= most || len(c.messages) <= c.first+2 {
			return ids, nil
		}
		c.messages = append(c.messages[:c.first:c.first], c.messages[c.first+2:]...)
	}
}

// answered adds what the model said.
func (c *conversation) answered(text string) {
	c.answers++
	if c.template != nil {
		c.messages = append(c.messages, message("assistant", text))
	}
}

// ends finds the special token that the template puts behind an answer. A model
// with a template of its own knows it already; one that got a built-in template
// may not.
func (c *conversation) ends() []int32 {
	const said = "42"
	if c.template == nil {
		return nil
	}
	out, err := c.template.Render(chat.Input{Messages: []json.RawMessage{message("user", "?"), message("assistant", said)}})
	if err != nil {
		return nil // such a conversation means nothing to this template
	}
	rest := out.Text[strings.LastIndex(out.Text, said)+len(said):]
	ids := c.words.AppendIDs(nil, rest, false)
	if len(ids) == 0 || !c.words.Special(ids[0]) {
		return nil
	}
	return ids[:1]
}

package data

import (
	"encoding/json"

	"github.com/posttrain/posttrain/data/chat"
)

// ChatRenderer makes a [Renderer] of a chat template.
func ChatRenderer(t *chat.Template) Renderer { return chatRenderer{t} }

type chatRenderer struct{ template *chat.Template }

// RenderChat renders c. The template sees each message's JSON; a message without
// one is shown as its role and content.
func (r chatRenderer) RenderChat(c Conversation) (Rendered, error) {
	in := chat.Input{Messages: make([]json.RawMessage, len(c.Messages)), Tools: c.Tools, Args: c.Args, AddGenerationPrompt: c.AddGenerationPrompt}
	for i, m := range c.Messages {
		in.Messages[i] = m.JSON
		if m.JSON == nil {
			in.Messages[i] = encodeMessage(m.Role, m.Content)
		}
	}
	out, err := r.template.Render(in)
	if err != nil {
		return Rendered{}, err
	}
	return Rendered{Text: out.Text, Spans: out.Spans, Marked: r.template.Marked()}, nil
}

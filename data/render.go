package data

import (
	"errors"
	"fmt"
	"strings"
)

// render applies the chat template to messages of a row.
func (p *Preparer) render(row Row, messages []Message, generationPrompt bool) (*Rendered, error) {
	if p.opts.Renderer == nil {
		return nil, &Error{
			At: row.At, Got: row.Shape.String() + " and a model without a chat template",
			Want: "a chat template (PrepareOptions.Renderer)",
		}
	}
	r, err := p.opts.Renderer.RenderChat(Conversation{
		Messages: messages, Tools: row.Tools, Args: row.TemplateArgs, AddGenerationPrompt: generationPrompt,
	})
	if err != nil {
		return nil, &Error{At: row.At, Got: "an error of the chat template", Err: err}
	}
	end := 0
	for _, span := range r.Spans {
		if span[0] < end || span[1] < span[0] || span[1] > len(r.Text) {
			return nil, &Error{
				At: row.At, Got: fmt.Sprintf("generation spans %v in %d bytes of text", r.Spans, len(r.Text)),
				Want: "ascending ranges inside the text", Err: errors.New("broken Renderer"),
			}
		}
		end = span[1]
	}
	return &r, nil
}

// spansByPrefix finds the assistant turns of r as FallbackPrefix says.
func (p *Preparer) spansByPrefix(row Row, r *Rendered, messages []Message) error {
	if p.opts.Fallback != FallbackPrefix {
		return &Error{
			At: row.At, Got: "a chat template without {% generation %} markers",
			Want: "markers for LossAssistant, or PrepareOptions.Fallback = FallbackPrefix",
		}
	}
	r.Spans = nil
	for i, m := range messages {
		if m.Role != "assistant" {
			continue
		}
		before, err := p.render(row, messages[:i], true)
		if err != nil {
			return err
		}
		through, err := p.render(row, messages[:i+1], false)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(through.Text, before.Text) || !strings.HasPrefix(r.Text, through.Text) {
			return &Error{
				At: row.At, Column: fmt.Sprintf("messages[%d]", i), Got: "a chat template that renders this turn differently in its context",
				Want: "one whose rendering of earlier turns stays a prefix (FallbackPrefix)",
			}
		}
		r.Spans = append(r.Spans, [2]int{len(before.Text), len(through.Text)})
	}
	return nil
}

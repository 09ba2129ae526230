package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
)

// ErrNoPrompts is wrapped by errors about a list of prompts of which none can be
// used.
var ErrNoPrompts = errors.New("rollout: no prompt to complete")

// Prompt is what completions are asked for.
type Prompt struct {
	IDs       []int32           `json:"ids"`
	Text      string            `json:"text,omitempty"`
	Reference string            `json:"reference,omitempty"` // the right answer, for rewarders that compare
	Columns   map[string]string `json:"columns,omitempty"`   // further columns, for rewarders that ask
	// Difficulty orders prompts in a Curriculum: the larger the later.
	Difficulty float64    `json:"difficulty,omitempty"`
	At         data.Place `json:"at"`
}

// PromptOptions control Prompts.
type PromptOptions struct {
	Encoder data.Encoder // required
	// Renderer renders conversations; nil refuses them.
	Renderer data.Renderer
}

// Prompts makes prompts of rows: of a row with prompt and completion, GSM8K rows
// among them, the completion becomes the reference; of a conversation, its last
// answer. Rows without a prompt are errors that name their place.
func Prompts(ctx context.Context, rows data.Source[data.Row], o PromptOptions) ([]Prompt, error) {
	if o.Encoder == nil {
		return nil, errors.New("rollout: PromptOptions.Encoder: got none, want one")
	}
	var list []Prompt
	for row, err := range rows.All() {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, fmt.Errorf("rollout: prompts: %w", err)
		}
		p, err := o.prompt(row)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: got no rows", ErrNoPrompts)
	}
	return list, nil
}

func (o *PromptOptions) prompt(row data.Row) (Prompt, error) {
	p := Prompt{Text: row.Prompt, Reference: row.Completion, At: row.At}
	special := true
	if n := len(row.CompletionMessages); len(row.PromptMessages) > 0 {
		if o.Renderer == nil {
			return p, &data.Error{At: row.At, Got: row.Shape.String(), Want: "a chat template (PromptOptions.Renderer)"}
		}
		r, err := o.Renderer.RenderChat(data.Conversation{Messages: row.PromptMessages, Tools: row.Tools, Args: row.TemplateArgs, AddGenerationPrompt: true})
		if err != nil {
			return p, &data.Error{At: row.At, Got: "an error of the chat template", Err: err}
		}
		p.Text, special = r.Text, false
		if n > 0 {
			p.Reference = row.CompletionMessages[n-1].Content
		}
	} else if row.Prompt == "" {
		return p, &data.Error{At: row.At, Got: row.Shape.String(), Want: "a prompt"}
	}
	if p.IDs = o.Encoder.AppendIDs(nil, p.Text, special); len(p.IDs) == 0 {
		return p, &data.Error{At: row.At, Column: "prompt", Got: "no token", Want: "one at least"}
	}
	return p, nil
}

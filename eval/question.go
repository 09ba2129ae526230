package eval

import (
	"context"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/answer"
)

// Question is a prompt with its right answer.
type Question struct {
	Prompt    []int32
	Text      string // the prompt as text
	Answer    string // the right one
	Reference string // the completion it was read in, if any
	At        data.Place
}

// QuestionOptions control Questions.
type QuestionOptions struct {
	Encoder data.Encoder // required
	// Renderer renders conversations; nil refuses them.
	Renderer data.Renderer
	// Extract finds the right answer in a row's completion; nil means
	// answer.GSM8K.
	Extract answer.Extractor
	// Limit is how many rows to use; 0 means all.
	Limit int
}

// Questions makes questions of rows with a prompt and a completion: texts (GSM8K
// rows among them) or conversations. A row without an answer is an error that
// names its place.
func Questions(ctx context.Context, rows data.Source[data.Row], o QuestionOptions) ([]Question, error) {
	if o.Encoder == nil || o.Limit < 0 {
		return nil, fmt.Errorf("eval: questions: got Encoder %v and Limit %d, want an encoder and a limit of 0 or more", o.Encoder, o.Limit)
	}
	if o.Extract == nil {
		o.Extract = answer.GSM8K
	}
	var questions []Question
	for row, err := range rows.All() {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, fmt.Errorf("eval: questions: %w", err)
		}
		q, err := o.question(row)
		if err != nil {
			return nil, err
		}
		if questions = append(questions, q); len(questions) == o.Limit {
			break
		}
	}
	if len(questions) == 0 {
		return nil, errors.New("eval: questions: got no rows")
	}
	return questions, nil
}

func (o *QuestionOptions) question(row data.Row) (Question, error) {
	q := Question{Text: row.Prompt, Reference: row.Completion, At: row.At}
	special := true
	if n := len(row.CompletionMessages); n > 0 && len(row.PromptMessages) > 0 {
		if o.Renderer == nil {
			return q, &data.Error{At: row.At, Got: row.Shape.String(), Want: "a chat template (QuestionOptions.Renderer)"}
		}
		r, err := o.Renderer.RenderChat(data.Conversation{Messages: row.PromptMessages, Tools: row.Tools, Args: row.TemplateArgs, AddGenerationPrompt: true})
		if err != nil {
			return q, &data.Error{At: row.At, Got: "an error of the chat template", Err: err}
		}
		q.Text, q.Reference, special = r.Text, row.CompletionMessages[n-1].Content, false
	} else if row.Prompt == "" {
		return q, &data.Error{At: row.At, Got: row.Shape.String(), Want: "a prompt and a completion"}
	}
	q.Prompt = o.Encoder.AppendIDs(nil, q.Text, special)
	var ok bool
	if q.Answer, ok = o.Extract(q.Reference); !ok {
		return q, &data.Error{At: row.At, Column: "completion", Got: fmt.Sprintf("%.60q, without an answer", q.Reference), Want: "an answer to compare with"}
	}
	return q, nil
}

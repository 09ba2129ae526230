package data

import (
	"encoding/json"
	"io/fs"
	"iter"
)

// LabelledRow is an answer to a prompt that was judged on its own: Label is true
// for a good one. Either Prompt and Completion are set or the lists of messages.
type LabelledRow struct {
	At Place

	Prompt, Completion string

	PromptMessages, CompletionMessages []Message

	Label bool

	// Tools and TemplateArgs are as in Row.
	Tools, TemplateArgs json.RawMessage
}

// Answer is the row as an example: a prompt with a completion.
func (r LabelledRow) Answer() Row {
	row := Row{
		Shape: ShapePromptCompletion, At: r.At, Prompt: r.Prompt, Completion: r.Completion,
		PromptMessages: r.PromptMessages, CompletionMessages: r.CompletionMessages,
		Tools: r.Tools, TemplateArgs: r.TemplateArgs,
	}
	if r.PromptMessages != nil {
		row.Shape = ShapeChatCompletion
	}
	return row
}

// OpenLabelled returns the judged answers of a file as a Source, under the rules
// of [Open]. Rows have the columns prompt, completion and label, texts or lists of
// messages (TRL's unpaired preference format), or LLaMA-Factory's: messages (or
// conversations, with system) and label, where the last message is the answer. A
// label is true or false; 1 and 0 are taken too, and the words as texts, since
// CSV knows nothing else. opts.Shape has no meaning here.
func OpenLabelled(path string, opts ReadOptions) (Source[LabelledRow], error) {
	fsys, name := root(path)
	return OpenLabelledFS(fsys, name, path, opts)
}

// OpenLabelledFS is [OpenLabelled] for any file system. Errors call it
// label; "" means name.
func OpenLabelledFS(fsys fs.FS, name, label string, opts ReadOptions) (Source[LabelledRow], error) {
	return openRows(fsys, name, label, opts, labelledRow)
}

// Unpair makes two judged answers of each comparison, the chosen one first, as
// TRL's unpair_preference_dataset does (which puts all chosen ones of a batch
// before the rejected ones).
func Unpair(pairs Source[PairRow]) Source[LabelledRow] {
	return SourceFunc[LabelledRow](func() iter.Seq2[LabelledRow, error] {
		return func(yield func(LabelledRow, error) bool) {
			for pair, err := range pairs.All() {
				if err != nil {
					yield(LabelledRow{}, err)
					return
				}
				row := LabelledRow{
					At: pair.At, Prompt: pair.Prompt, PromptMessages: pair.PromptMessages,
					Tools: pair.Tools, TemplateArgs: pair.TemplateArgs,
				}
				good, bad := row, row
				good.Completion, good.CompletionMessages, good.Label = pair.Chosen, pair.ChosenMessages, true
				bad.Completion, bad.CompletionMessages = pair.Rejected, pair.RejectedMessages
				if !yield(good, nil) || !yield(bad, nil) {
					return
				}
			}
		}
	})
}

// labelledRow reads one object.
func labelledRow(r *rowReader) LabelledRow {
	row := LabelledRow{At: r.at}
	prompt, _ := r.cols.get("prompt")
	switch {
	case !r.cols.has("label"):
		r.columns("prompt, completion and label; or messages and label")
	case r.cols.has("prompt", "completion") && kindOf(prompt) == "a list":
		row.PromptMessages, row.CompletionMessages = r.messages("prompt"), r.messages("completion")
	case r.cols.has("prompt", "completion"):
		row.Prompt, row.Completion = r.text("prompt"), r.text("completion")
	case r.cols.has("messages"):
		row.PromptMessages, row.CompletionMessages = r.turns("messages")
	case r.cols.has("conversations"):
		row.PromptMessages, row.CompletionMessages = r.turns("conversations")
		row.PromptMessages = r.withSystem(row.PromptMessages)
	default:
		r.columns("prompt, completion and label; or messages and label")
	}
	row.Label = r.truth("label")
	row.Tools, row.TemplateArgs = r.extras()
	return row
}

// turns returns a conversation cut before its last message, which must be the
// assistant's.
func (r *rowReader) turns(column string) (prompt, completion []Message) {
	all := r.messages(column)
	if r.err != nil {
		return nil, nil
	}
	last := len(all) - 1
	if last == 0 || all[last].Role != "assistant" {
		r.fail(column, "a conversation that ends with a message of "+clip(all[last].Role), "a prompt, then an answer of the assistant")
		return nil, nil
	}
	return all[:last:last], all[last:]
}

// truth returns a column that must be a judgement.
func (r *rowReader) truth(column string) bool {
	raw, _ := r.cols.get(column)
	value, ok := truth(raw)
	if !ok {
		got := kindOf(raw)
		if got == "a number" || got == "a string" {
			got += " " + clip(string(raw))
		}
		r.fail(column, got, "true or false")
	}
	return value
}

// truth reads true, false, 1, 0 and the words as texts.
func truth(raw json.RawMessage) (value, ok bool) {
	switch string(raw) {
	case "true", "1", "1.0", `"true"`, `"True"`, `"1"`:
		return true, true
	case "false", "0", "0.0", `"false"`, `"False"`, `"0"`:
		return false, true
	}
	return false, false
}

package data

import (
	"encoding/json"
	"io/fs"
)

// PromptRow is something to answer, for training from rewards: either Prompt is
// set or PromptMessages.
type PromptRow struct {
	At             Place
	Prompt         string
	PromptMessages []Message
	// Columns is the whole row as a JSON object: rewards find in it what they
	// judge by, such as a solution.
	Columns json.RawMessage

	// Tools and TemplateArgs are as in Row.
	Tools, TemplateArgs json.RawMessage
}

// OpenPrompts returns the prompts of a file as a Source, under the rules of
// [Open]. Rows have the column prompt, a text or a list of messages (TRL's
// prompt-only format), or question and answer (GSM8K, whose prompt is made as
// [Open] makes it). opts.Shape has no meaning here.
func OpenPrompts(path string, opts ReadOptions) (Source[PromptRow], error) {
	fsys, name := root(path)
	return OpenPromptsFS(fsys, name, path, opts)
}

// OpenPromptsFS is [OpenPrompts] for any file system. Errors call it
// label; "" means name.
func OpenPromptsFS(fsys fs.FS, name, label string, opts ReadOptions) (Source[PromptRow], error) {
	return openRows(fsys, name, label, opts, promptRow)
}

// promptRow reads one object.
func promptRow(r *rowReader) PromptRow {
	row := PromptRow{At: r.at}
	prompt, ok := r.cols.get("prompt")
	switch {
	case ok && kindOf(prompt) == "a list":
		row.PromptMessages = r.messages("prompt")
	case ok:
		row.Prompt = r.text("prompt")
	case r.cols.has("question", "answer"):
		row.Prompt, _ = gsm8k(r.text("question"), r.text("answer"))
	default:
		r.columns("prompt; or question and answer")
	}
	row.Tools, row.TemplateArgs = r.extras()
	row.Columns = compact(r.raw)
	return row
}

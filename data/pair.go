package data

import (
	"encoding/json"
	"io/fs"
)

// PairRow is one comparison: of two answers to a prompt, Chosen was preferred.
// Either the three texts are set or the three lists of messages.
type PairRow struct {
	At Place

	Prompt, Chosen, Rejected string

	PromptMessages, ChosenMessages, RejectedMessages []Message

	// Margin is by how much Chosen is better (TRL's column margin), 0 without it.
	Margin float64

	// Tools and TemplateArgs are as in Row.
	Tools, TemplateArgs json.RawMessage
}

// Answers are the row's two examples to compare, each a prompt with a completion.
func (r PairRow) Answers() (chosen, rejected Row) {
	row := Row{
		Shape: ShapePromptCompletion, At: r.At, Prompt: r.Prompt,
		PromptMessages: r.PromptMessages, Tools: r.Tools, TemplateArgs: r.TemplateArgs,
	}
	if r.PromptMessages != nil {
		row.Shape = ShapeChatCompletion
	}
	chosen, rejected = row, row
	chosen.Completion, chosen.CompletionMessages = r.Chosen, r.ChosenMessages
	rejected.Completion, rejected.CompletionMessages = r.Rejected, r.RejectedMessages
	return chosen, rejected
}

// OpenPairs returns the comparisons of a file as a Source, under the rules of
// [Open]. Rows have the columns prompt, chosen and rejected, all strings or all
// lists of messages (TRL's preference format); chosen and rejected alone, which
// begin with the prompt ([SplitPrompt] says where it ends); or LLaMA-Factory's:
// conversations, and chosen and rejected as one message each. opts.Shape has no
// meaning here.
func OpenPairs(path string, opts ReadOptions) (Source[PairRow], error) {
	fsys, name := root(path)
	return OpenPairsFS(fsys, name, path, opts)
}

// OpenPairsFS is [OpenPairs] for any file system. Errors call it label;
// "" means name.
func OpenPairsFS(fsys fs.FS, name, label string, opts ReadOptions) (Source[PairRow], error) {
	return openRows(fsys, name, label, opts, pairRow)
}

// pairRow reads one object.
func pairRow(r *rowReader) PairRow {
	row := PairRow{At: r.at, Margin: r.number("margin")}
	prompt, hasPrompt := r.cols.get("prompt")
	chosen, _ := r.cols.get("chosen")
	switch {
	case r.cols.has("conversations", "chosen", "rejected"):
		row.PromptMessages = r.withSystem(r.messages("conversations"))
		row.ChosenMessages, row.RejectedMessages = r.single("chosen"), r.single("rejected")
	case !r.cols.has("chosen", "rejected"):
		r.columns("prompt, chosen and rejected; chosen and rejected; or conversations, chosen and rejected")
	case hasPrompt && kindOf(prompt) == "a list":
		row.PromptMessages, row.ChosenMessages, row.RejectedMessages = r.messages("prompt"), r.messages("chosen"), r.messages("rejected")
	case hasPrompt:
		row.Prompt, row.Chosen, row.Rejected = r.text("prompt"), r.text("chosen"), r.text("rejected")
	case kindOf(chosen) == "a list":
		row.PromptMessages, row.ChosenMessages, row.RejectedMessages = r.splitMessages()
	default:
		row.Prompt, row.Chosen, row.Rejected = SplitPrompt(r.text("chosen"), r.text("rejected"))
	}
	row.Tools, row.TemplateArgs = r.extras()
	return row
}

// single returns a column that must be one message.
func (r *rowReader) single(column string) []Message {
	raw, _ := r.cols.get(column)
	return []Message{r.message(column, raw)}
}

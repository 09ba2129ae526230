package data

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// PairRow is one comparison: of two answers to a prompt, Chosen was preferred.
// Either the three texts are set or the three lists of messages.
type PairRow struct {
	At Place

	Prompt, Chosen, Rejected string

	PromptMessages, ChosenMessages, RejectedMessages []Message

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
// lists of messages (TRL's preference format), or LLaMA-Factory's: conversations,
// and chosen and rejected as one message each. opts.Shape has no meaning here.
func OpenPairs(path string, opts ReadOptions) (Source[PairRow], error) {
	return OpenPairsFS(os.DirFS(filepath.Dir(path)), filepath.Base(path), path, opts)
}

// OpenPairsFS is [OpenPairs] for a file of any file system. Errors call it label;
// "" means name.
func OpenPairsFS(fsys fs.FS, name, label string, opts ReadOptions) (Source[PairRow], error) {
	label, open, err := opener(fsys, name, label, opts)
	if err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	return Limit[PairRow](&file[PairRow]{label: label, open: open, opts: opts, decoder: func() func([]byte, Place) (PairRow, error) {
		return func(raw []byte, at Place) (PairRow, error) { return pairRow(raw, at, opts) }
	}}, opts.Limit), nil
}

// pairRow decodes one object.
func pairRow(raw []byte, at Place, opts ReadOptions) (PairRow, error) {
	if err := checkText(raw); err != nil {
		return PairRow{}, &Error{At: at, Got: err.Error(), Want: "a row in valid UTF-8"}
	}
	cols, err := parseObject(raw, opts.MaxColumns)
	if err != nil {
		return PairRow{}, &Error{At: at, Got: err.Error(), Want: "one JSON object a row"}
	}
	r := &rowReader{at: at, opts: opts, cols: cols}
	row := PairRow{At: at}
	prompt, _ := cols.get("prompt")
	switch {
	case cols.has("conversations", "chosen", "rejected"):
		row.PromptMessages = r.messages("conversations")
		row.ChosenMessages, row.RejectedMessages = r.single("chosen"), r.single("rejected")
		if system := r.optional("system"); system != "" {
			row.PromptMessages = append([]Message{NewMessage("system", system)}, row.PromptMessages...)
		}
	case !cols.has("prompt", "chosen", "rejected"):
		return PairRow{}, &Error{At: at, Got: "columns " + clip(strings.Join(cols.keys, ", ")), Want: "prompt, chosen and rejected; or conversations, chosen and rejected"}
	case kindOf(prompt) == "a list":
		row.PromptMessages, row.ChosenMessages, row.RejectedMessages = r.messages("prompt"), r.messages("chosen"), r.messages("rejected")
	default:
		row.Prompt, row.Chosen, row.Rejected = r.text("prompt"), r.text("chosen"), r.text("rejected")
	}
	for _, column := range media {
		r.empty(column, "text only: images, audio and video are not supported")
	}
	row.Tools, row.TemplateArgs = r.tools(), r.object("chat_template_kwargs")
	if r.err != nil {
		return PairRow{}, r.err
	}
	return row, nil
}

// single returns a column that must be one message.
func (r *rowReader) single(column string) []Message {
	raw, _ := r.cols.get(column)
	return []Message{r.message(column, raw)}
}

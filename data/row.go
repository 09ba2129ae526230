package data

import (
	"encoding/json"
	"fmt"
)

// Shape says which columns a row came with.
type Shape uint8

// The shapes of rows for supervised fine-tuning. Column names are TRL's where
// TRL has them.
const (
	ShapeText             Shape = iota + 1 // text
	ShapeMessages                          // messages [, tools]
	ShapePromptCompletion                  // prompt, completion: strings
	ShapeChatCompletion                    // prompt, completion: lists of messages [, tools]
	ShapeAlpaca                            // instruction, output [, input, system]
	ShapeShareGPT                          // conversations of from/value [, system, tools]
	ShapeGSM8K                             // question, answer
)

// String returns the shape's name and columns.
func (s Shape) String() string {
	names := [...]string{
		ShapeText:             "text",
		ShapeMessages:         "messages",
		ShapePromptCompletion: "prompt+completion (strings)",
		ShapeChatCompletion:   "prompt+completion (messages)",
		ShapeAlpaca:           "alpaca (instruction, input, output)",
		ShapeShareGPT:         "sharegpt (conversations)",
		ShapeGSM8K:            "gsm8k (question, answer)",
	}
	if int(s) < len(names) && names[s] != "" {
		return names[s]
	}
	return fmt.Sprintf("Shape(%d)", uint8(s))
}

// Conversational reports whether rows of the shape need a chat template.
func (s Shape) Conversational() bool {
	return s == ShapeMessages || s == ShapeChatCompletion || s == ShapeShareGPT
}

// Message is one turn of a conversation.
type Message struct {
	Role    string
	Content string
	// JSON is the whole message as an object, keys in the file's order. It is
	// what a chat template sees: it may hold more than role and content
	// (tool_calls, name, reasoning_content, content as a list of text parts).
	JSON json.RawMessage
}

// NewMessage returns a message with a role and a text.
func NewMessage(role, content string) Message {
	return Message{Role: role, Content: content, JSON: encodeMessage(role, content)}
}

// Row is one training row, whatever its shape was in the file. Exactly one of
// these is set: Text; Messages; Prompt and Completion; PromptMessages and
// CompletionMessages.
type Row struct {
	Shape Shape
	At    Place

	Text               string
	Messages           []Message
	Prompt, Completion string
	PromptMessages     []Message
	CompletionMessages []Message

	// Tools is a JSON list of tool descriptions for the chat template, or nil.
	Tools json.RawMessage
	// TemplateArgs is a JSON object of further variables for the chat template
	// (TRL's column chat_template_kwargs), or nil.
	TemplateArgs json.RawMessage
}

// Place is where a row stands.
type Place struct {
	File string // as it was given to Open, or ""
	// Line is the row's first line, counted from 1; in files without lines, such
	// as Parquet, the row's number. 0 where only the byte is known: a [Stream]
	// does not read what stands before.
	Line   int
	Offset int64 // first byte of the row, counted from 0; set where Line is 0
}

// String returns file:line, or file: byte N where the line is not known.
func (p Place) String() string {
	file := p.File
	if file == "" {
		file = "(memory)"
	}
	if p.Line == 0 && p.Offset > 0 {
		return fmt.Sprintf("%s: byte %d", file, p.Offset)
	}
	return fmt.Sprintf("%s:%d", file, p.Line)
}

// Error is a fault in a data file. Its text names file and line, the column
// where one is to blame, and what was got and wanted.
type Error struct {
	At     Place
	Column string // column name with its path, such as messages[2].content; "" for the whole row
	Got    string
	Want   string
	Err    error // cause, or nil
}

// Error returns "data: file:line: column "c": got …, want …".
func (e *Error) Error() string {
	text := "data: " + e.At.String() + ": "
	if e.Column != "" {
		text += fmt.Sprintf("column %q: ", e.Column)
	}
	text += "got " + e.Got
	if e.Want != "" {
		text += ", want " + e.Want
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// encodeMessage renders {"role":…,"content":…} without HTML escapes.
func encodeMessage(role, content string) json.RawMessage {
	raw := append([]byte(`{"role":`), quote(role)...)
	raw = append(raw, `,"content":`...)
	raw = append(raw, quote(content)...)
	return append(raw, '}')
}

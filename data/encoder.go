package data

import "encoding/json"

// Encoder turns text into token ids. Equal text gives equal ids.
type Encoder interface {
	// AppendIDs appends the ids of text to dst. With addSpecial it adds what the
	// tokenizer adds around a plain text (such as a beginning-of-sequence
	// token); without, text is taken as it is. Special tokens spelled out in
	// text are recognised either way, as Hugging Face tokenizers do.
	AppendIDs(dst []int32, text string, addSpecial bool) []int32
}

// OffsetEncoder is an [Encoder] that knows where its tokens stand in the text.
// Assistant-only loss needs one.
type OffsetEncoder interface {
	Encoder
	// AppendOffsets appends the ids of text to ids and the byte range
	// [start, end) of each in text to offsets. Added special tokens have an
	// empty range.
	AppendOffsets(ids []int32, offsets [][2]int, text string, addSpecial bool) ([]int32, [][2]int)
}

// Conversation is what a chat template renders.
type Conversation struct {
	Messages            []Message
	Tools               json.RawMessage // list of tool descriptions or nil
	Args                json.RawMessage // object of further template variables or nil
	AddGenerationPrompt bool            // end with the opening of an assistant turn
}

// Rendered is a conversation as text.
type Rendered struct {
	Text string
	// Spans are the byte ranges [start, end) that stand between the template's
	// {% generation %} markers, in order.
	Spans [][2]int
	// Marked says that the template has such markers at all.
	Marked bool
}

// Renderer renders conversations with a chat template.
type Renderer interface {
	RenderChat(c Conversation) (Rendered, error)
}

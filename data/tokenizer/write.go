package tokenizer

import "io"

// written is what WriteJSON writes for a tokenizer that was not read from a
// document.
type written struct{}

// WriteJSON writes the tokenizer as a tokenizer.json: the very bytes it was read
// from.
func (t *Tokenizer) WriteJSON(w io.Writer) error {
	_, err := w.Write(t.source)
	return err
}

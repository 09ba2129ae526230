package chat

import (
	"errors"
	"fmt"
)

// ErrUnstable marks a template that renders earlier turns differently once later
// ones follow.
var ErrUnstable = errors.New("rendering is not stable")

// PrefixError says at which turn a rendering stops being a prefix of the rendering
// of the whole conversation. It wraps ErrUnstable.
type PrefixError struct {
	Turn int    // index of the message that renders differently
	Role string // of that message
	// Prompt is true if the turn's header differs from the generation prompt: the
	// model would be trained on another header than it is asked with.
	Prompt bool
	At     int // byte at which the texts part
	// Got and Want are the texts from there on, shortened: of the turns up to Turn
	// alone, and of the whole conversation.
	Got, Want string
}

// Error returns the fault in one line.
func (e *PrefixError) Error() string {
	what := "the turns up to it"
	if e.Prompt {
		what = "the turns before it and the generation prompt"
	}
	return fmt.Sprintf("chat: message %d (%s) changes with its context: %s render %q at byte %d, in the whole conversation %q stands there",
		e.Turn, e.Role, what, e.Got, e.At, e.Want)
}

// Unwrap returns ErrUnstable.
func (e *PrefixError) Unwrap() error { return ErrUnstable }

// CheckPrefixes reports the first turn whose rendering depends on what follows:
// the first k messages must render to a prefix of the whole conversation, and
// where message k is the assistant's, so must the messages before it with the
// generation prompt. Templates that drop earlier reasoning, as Qwen3's, fail.
//
// Training on whole conversations and cached prompts rely on it. Prefixes that the
// template refuses to render are passed over.
func (t *Template) CheckPrefixes(in Input) error {
	in.AddGenerationPrompt = false
	whole, err := t.Render(in)
	if err != nil {
		return err
	}
	vars, err := t.variables(in)
	if err != nil {
		return err
	}
	messages := vars.messages
	for k := range messages {
		if role(messages[k]) == "assistant" && k > 0 {
			if err := t.checkPrefix(vars, k, true, whole.Text); err != nil {
				return err
			}
		}
		if err := t.checkPrefix(vars, k, false, whole.Text); err != nil {
			return err
		}
	}
	return nil
}

// checkPrefix holds the messages up to k, or those before it with the generation
// prompt, against the whole text.
func (t *Template) checkPrefix(vars variables, k int, prompt bool, whole string) error {
	n := k + 1
	if prompt {
		n = k
	}
	out, err := t.render(vars.first(n, prompt))
	if errors.Is(err, ErrLimit) {
		return err
	}
	if err != nil {
		return nil // the conversation cannot end here
	}
	at := parting(out.Text, whole)
	if at == len(out.Text) {
		return nil
	}
	return &PrefixError{
		Turn: k, Role: role(vars.messages[k]), Prompt: prompt, At: at,
		Got: clip(out.Text[at:]), Want: clip(whole[at:]),
	}
}

// parting returns the length of the common prefix.
func parting(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// clip shortens text for error messages.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

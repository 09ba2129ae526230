package data

import (
	"errors"
	"fmt"
)

// Loss says which tokens are targets.
type Loss uint8

// Choices of target tokens.
const (
	// LossDefault is LossCompletion for rows with prompt and completion and
	// LossAll for the others, as TRL does with completion_only_loss unset.
	LossDefault Loss = iota
	// LossAll makes every token a target.
	LossAll
	// LossCompletion makes the tokens after the prompt targets. Rows without a
	// prompt are refused.
	LossCompletion
	// LossAssistant makes the tokens of assistant turns targets, within the
	// completion where there is one (TRL's assistant_only_loss). Rows that are
	// no conversations are refused.
	LossAssistant
)

// Truncation says what happens to examples longer than MaxLength.
type Truncation uint8

// Choices of truncation.
const (
	KeepStart Truncation = iota // cut at the end, TRL's default
	KeepEnd                     // cut at the start
	DropLong                    // leave the row out
)

// Fallback says how LossAssistant finds assistant turns when the template has
// no {% generation %} markers.
type Fallback uint8

// Choices of fallback.
const (
	// FallbackNone refuses such a template.
	FallbackNone Fallback = iota
	// FallbackPrefix renders the conversation up to each assistant turn, with
	// the generation prompt, and again with the turn: the difference is the
	// turn, including what the template writes after it. A template that
	// renders earlier turns differently later on is refused.
	FallbackPrefix
)

// PrepareOptions steers [Prepare]. The zero value does what TRL's SFTTrainer
// does by default, except that EOS must be named.
type PrepareOptions struct {
	// MaxLength bounds an example's tokens. 0 means 1024, TRL's default;
	// a negative number means no bound.
	MaxLength  int
	Truncation Truncation
	Loss       Loss
	Fallback   Fallback
	// EOS is the text of the end-of-sequence token. It is appended to text and
	// completion columns that do not end with it already; conversations are
	// left to the template. "" appends nothing.
	EOS string
	// Renderer renders conversations; nil refuses them.
	Renderer Renderer
}

// Validate reports every field that makes no sense.
func (o PrepareOptions) Validate() error {
	var errs []error
	if o.Truncation > DropLong {
		errs = append(errs, fmt.Errorf("data: PrepareOptions.Truncation: got %d, want KeepStart, KeepEnd or DropLong", o.Truncation))
	}
	if o.Loss > LossAssistant {
		errs = append(errs, fmt.Errorf("data: PrepareOptions.Loss: got %d, want LossDefault, LossAll, LossCompletion or LossAssistant", o.Loss))
	}
	if o.Fallback > FallbackPrefix {
		errs = append(errs, fmt.Errorf("data: PrepareOptions.Fallback: got %d, want FallbackNone or FallbackPrefix", o.Fallback))
	}
	if o.MaxLength == 1 {
		errs = append(errs, errors.New("data: PrepareOptions.MaxLength: got 1, want at least 2: one token predicts nothing"))
	}
	return errors.Join(errs...)
}

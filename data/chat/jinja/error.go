package jinja

import (
	"errors"
	"fmt"
)

var (
	// ErrTemplate marks faults of the template's syntax, found by Parse.
	ErrTemplate = errors.New("template syntax")
	// ErrRaised marks a call of raise_exception by the template.
	ErrRaised = errors.New("raised by the template")
	// ErrLimit marks a template that went over one of its Limits.
	ErrLimit = errors.New("limit exceeded")
	// ErrValue marks what Python would raise while rendering: undefined
	// variables, operands of the wrong type, unsafe attributes.
	ErrValue = errors.New("evaluation failed")
	// errInternal marks a fault of this package.
	errInternal = errors.New("internal error")
)

// Error is a fault with its place. It wraps ErrTemplate, ErrRaised, ErrLimit or
// ErrValue.
type Error struct {
	Template string // name given to Parse
	Line     int    // in the template, from 1
	Message  string // as Python words it where Python has a word for it
	Kind     error
}

// Error returns the fault in one line.
func (e *Error) Error() string {
	verb := ":"
	if e.Kind == ErrRaised {
		verb = " raised:"
	}
	return fmt.Sprintf("jinja: template %q, line %d%s %s", e.Template, e.Line, verb, e.Message)
}

// Unwrap returns the kind of the fault.
func (e *Error) Unwrap() error { return e.Kind }

//go:build !linux

package sandbox

import (
	"context"
	"fmt"
	"runtime"
)

// Bubblewrap is a Runner over bwrap, which exists on Linux only.
type Bubblewrap struct{}

// NewBubblewrap fails: bubblewrap is for Linux.
func NewBubblewrap(Options) (*Bubblewrap, error) {
	return nil, fmt.Errorf("%w: bubblewrap needs linux, got %s", ErrUnavailable, runtime.GOOS)
}

// Run is never reached.
func (*Bubblewrap) Run(context.Context, Program) (Result, error) { return Result{}, ErrUnavailable }

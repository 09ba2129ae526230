package reward

import (
	"context"
	"strings"
)

// within narrows the completion to one block.
type within struct {
	Verifier
	tag string
}

// Verify passes on the block's contents.
func (w within) Verify(ctx context.Context, s Sample) (float64, error) {
	end := strings.LastIndex(s.Completion, "</"+w.tag+">")
	if end < 0 {
		return 0, ctx.Err()
	}
	open := "<" + w.tag + ">"
	start := strings.LastIndex(s.Completion[:end], open)
	if start < 0 {
		return 0, ctx.Err()
	}
	s.Completion, s.Tokens = s.Completion[start+len(open):end], nil
	return w.Verifier.Verify(ctx, s)
}

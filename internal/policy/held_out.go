package policy

import (
	"context"
	"errors"
	"io"

	"github.com/posttrain/posttrain/data"
)

// HeldOut is data to measure on, in steps of type S: a source that ends, and starts
// again when it is sought to the zero cursor.
type HeldOut[S any] interface {
	Next(step *S) error
	Seek(data.Cursor) error
}

// Each calls f for every step of held-out data, from its start to its end.
// Cancelling ctx ends it between two steps.
func Each[S any](ctx context.Context, src HeldOut[S], step *S, f func() error) error {
	if err := src.Seek(data.Cursor{}); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := src.Next(step)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f()
		}
		if err != nil {
			return err
		}
	}
}

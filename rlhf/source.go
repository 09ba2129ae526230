package rlhf

import (
	"context"
	"encoding/json"

	"github.com/posttrain/posttrain/rlhf/rollout"
)

// Source gives the rollouts that are learnt from; rollout.Collector is one.
type Source interface {
	// Next returns the next rollout, sampled from the policy as it stands after
	// version optimizer steps; io.EOF after the last. When ctx ends it returns an
	// error that wraps ctx.Err(), and nothing has happened.
	Next(ctx context.Context, version int64) (*rollout.Rollout, error)
}

// resumable is a source whose position can be saved.
type resumable interface {
	State() (json.RawMessage, error)
	Restore(json.RawMessage) error
}

package dpo

import (
	"encoding/json"
	"fmt"

	"github.com/posttrain/posttrain/internal/saved"
)

// Stateful is a source whose position is more than a cursor, such as answers that
// were sampled and not yet trained on.
type Stateful interface {
	StepSource
	// State is the position before the next step, as JSON.
	State() (json.RawMessage, error)
	// Restore goes back to a position.
	Restore(json.RawMessage) error
}

// state is what the stage adds to a checkpoint.
type state struct {
	saved.State
	Source json.RawMessage `json:"source,omitempty"`    // of a Stateful source
	Moved  uint64          `json:"reference,omitempty"` // steps after which the reference last moved
}

// identity lists what decides what a step computes. Options that only say how much
// memory it takes may change in a run.
func (s *stage) identity() map[string]string {
	o := s.opts
	return map[string]string{
		"loss":        saved.Described(o.Loss.Name(), o.Loss),
		"beta":        fmt.Sprint(o.beta()),
		"divergence":  saved.Described(o.Divergence.Name(), o.Divergence),
		"ld_alpha":    fmt.Sprint(o.tailWeight()),
		"micro_means": fmt.Sprint(o.MicroMeans),
		"reference":   s.reference.Name + s.opts.Reference.Sync.String(),
	}
}

// State implements train.Stage. A source without a cursor cannot be resumed.
func (s *stage) State() (json.RawMessage, error) {
	st := state{State: saved.New(s.src, s.count, s.identity())}
	if s.follower != nil {
		st.Moved = s.follower.done
	}
	if src, ok := s.src.(Stateful); ok {
		var err error
		if st.Source, err = src.State(); err != nil {
			return nil, err
		}
		st.Cursor = nil
	}
	return json.Marshal(st)
}

// Restore implements train.Stage.
func (s *stage) Restore(raw json.RawMessage) error {
	var st state
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("dpo: state: %w", err)
	}
	if err := st.Check(s.src, s.identity(), ErrDataChanged); err != nil {
		return err
	}
	if err := s.seek(st); err != nil {
		return fmt.Errorf("dpo: %w", err)
	}
	s.count = st.Steps
	if s.follower != nil {
		s.follower.done = st.Moved
	}
	return nil
}

// seek moves the source to a saved position.
func (s *stage) seek(st state) error {
	src, ok := s.src.(Stateful)
	if !ok {
		return st.Seek(s.src)
	}
	if err := src.Restore(st.Source); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// CountSteps implements train.StepCounter where the source can count.
func (s *stage) CountSteps(epochs float64) (int, error) {
	n, err := saved.CountSteps(s.src, epochs)
	if err != nil {
		return 0, fmt.Errorf("dpo: %w", err)
	}
	return n, nil
}

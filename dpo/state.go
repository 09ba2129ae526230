package dpo

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo/internal/saved"
)

// seeker is a source whose position can be saved; Batcher is one.
type seeker interface {
	Cursor() data.Cursor
	Seek(data.Cursor) error
}

// Stateful is a source whose position is more than a cursor, such as answers that
// were sampled and not yet trained on.
type Stateful interface {
	StepSource
	// State is the position before the next step, as JSON.
	State() (json.RawMessage, error)
	// Restore goes back to a position.
	Restore(json.RawMessage) error
}

func fingerprint(src StepSource) string {
	if f, ok := src.(interface{ Fingerprint() string }); ok {
		return f.Fingerprint()
	}
	return ""
}

// state is what the stage adds to a checkpoint.
type state struct {
	Cursor  *data.Cursor      `json:"cursor,omitempty"`
	Data    string            `json:"data,omitempty"`
	Steps   uint64            `json:"steps"`
	Source  json.RawMessage   `json:"source,omitempty"`    // of a Stateful source
	Moved   uint64            `json:"reference,omitempty"` // steps after which the reference last moved
	Options map[string]string `json:"options"`
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
	st := state{Steps: s.count, Data: fingerprint(s.src), Options: s.identity()}
	if s.follower != nil {
		st.Moved = s.follower.done
	}
	switch src := s.src.(type) {
	case Stateful:
		raw, err := src.State()
		if err != nil {
			return nil, err
		}
		st.Source = raw
	case seeker:
		c := src.Cursor()
		st.Cursor = &c
	}
	return json.Marshal(st)
}

// Restore implements train.Stage.
func (s *stage) Restore(raw json.RawMessage) error {
	var st state
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("dpo: state: %w", err)
	}
	if err := saved.Unchanged(s.identity(), st.Options); err != nil {
		return err
	}
	if got := fingerprint(s.src); got != st.Data {
		return fmt.Errorf("%w: got %s, want %s as before", ErrDataChanged, got, st.Data)
	}
	if err := s.seek(st); err != nil {
		return err
	}
	s.count = st.Steps
	if s.follower != nil {
		s.follower.done = st.Moved
	}
	return nil
}

// seek moves the source to a saved position.
func (s *stage) seek(st state) error {
	var err error
	switch src := s.src.(type) {
	case Stateful:
		err = src.Restore(st.Source)
	case seeker:
		if st.Cursor == nil {
			return errors.New("dpo: state: got no cursor of the source, want one")
		}
		err = src.Seek(*st.Cursor)
	default:
		return fmt.Errorf("dpo: the source (%T) has no cursor, so a run over it cannot be resumed", s.src)
	}
	if err != nil {
		return fmt.Errorf("dpo: state: %w", err)
	}
	return nil
}

// CountSteps implements train.StepCounter where the source can count.
func (s *stage) CountSteps(epochs float64) (int, error) {
	src, ok := s.src.(interface{ Steps(epochs int) int })
	if !ok || epochs != float64(int(epochs)) {
		return 0, fmt.Errorf("dpo: cannot count the steps of %g epochs of a %T; set MaxSteps", epochs, s.src)
	}
	return src.Steps(int(epochs)), nil
}

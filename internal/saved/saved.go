package saved

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/train"
)

// State is what a stage adds to a checkpoint.
type State struct {
	Cursor  *data.Cursor      `json:"cursor,omitempty"` // of the source; nil for one without
	Data    string            `json:"data,omitempty"`   // fingerprint of the source
	Steps   uint64            `json:"steps"`            // optimizer steps begun
	Options map[string]string `json:"options"`
}

// seeker is a source whose position can be saved.
type seeker interface {
	Cursor() data.Cursor
	Seek(data.Cursor) error
}

// New is the state of a run over src. Where that has no cursor the run cannot go on
// later, but it can be saved.
func New(src any, steps uint64, options map[string]string) State {
	st := State{Steps: steps, Data: fingerprint(src), Options: options}
	if s, ok := src.(seeker); ok {
		c := s.Cursor()
		st.Cursor = &c
	}
	return st
}

// fingerprint identifies the data of a source that can tell.
func fingerprint(src any) string {
	if f, ok := src.(interface{ Fingerprint() string }); ok {
		return f.Fingerprint()
	}
	return ""
}

// Check wants the same options, by name, and the same data; the error wraps
// train.ErrOptionsChanged or changed.
func (st State) Check(src any, options map[string]string, changed error) error {
	if err := Unchanged(options, st.Options); err != nil {
		return err
	}
	if got := fingerprint(src); got != st.Data {
		return fmt.Errorf("%w: got %s, want %s as before", changed, got, st.Data)
	}
	return nil
}

// Seek moves src to where the run was.
func (st State) Seek(src any) error {
	s, err := st.seeker(src)
	if err != nil {
		return err
	}
	if err := s.Seek(*st.Cursor); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// seeker is src, where it and the saved run have a cursor.
func (st State) seeker(src any) (seeker, error) {
	s, ok := src.(seeker)
	if !ok || st.Cursor == nil {
		return nil, fmt.Errorf("the source (%T) has no cursor, so a run over it cannot be resumed", src)
	}
	return s, nil
}

// Resume is Check and Seek.
func (st State) Resume(src any, options map[string]string, changed error) error {
	if _, err := st.seeker(src); err != nil {
		return err
	}
	if err := st.Check(src, options, changed); err != nil {
		return err
	}
	return st.Seek(src)
}

// CountSteps is the number of steps of whole epochs of a source that can count them.
func CountSteps(src any, epochs float64) (int, error) {
	s, ok := src.(interface{ Steps(epochs int) int })
	if !ok || epochs != float64(int(epochs)) {
		return 0, fmt.Errorf("cannot count the steps of %g epochs of a %T; set MaxSteps", epochs, src)
	}
	return s.Steps(int(epochs)), nil
}

// Described is a name with the hyperparameters behind it; a function has none.
func Described(name string, v any) string {
	if raw, err := json.Marshal(v); err == nil && string(raw) != "{}" {
		return name + " " + string(raw)
	}
	return name
}

// Unchanged wants equal options, by name; the error wraps train.ErrOptionsChanged.
func Unchanged(now, before map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != before[name] {
			return fmt.Errorf("%w since the run began: %s: got %s, want %s as before", train.ErrOptionsChanged, name, now[name], before[name])
		}
	}
	return nil
}

package sft

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/train"
)

// ErrDataChanged is wrapped by the error about a run that is resumed over other
// data, or over the same data in another order or layout.
var ErrDataChanged = errors.New("sft: data changed since the run began")

// seeker is a source whose position can be saved; data.Batcher is one.
type seeker interface {
	Cursor() data.Cursor
	Seek(data.Cursor) error
}

// fingerprinter is a source that can tell whether it is still the same.
type fingerprinter interface{ Fingerprint() string }

func fingerprint(src data.StepSource) string {
	if f, ok := src.(fingerprinter); ok {
		return f.Fingerprint()
	}
	return ""
}

// state is what the stage adds to a checkpoint.
type state struct {
	Cursor  *data.Cursor      `json:"cursor,omitempty"`
	Data    string            `json:"data,omitempty"`
	Steps   uint64            `json:"steps"`
	Options map[string]string `json:"options"`
}

// identity lists the options that decide what a step computes. Those that only
// say how much memory it takes may change in a run.
func (o Options) identity() map[string]string {
	loss := o.Loss.Name()
	if raw, err := json.Marshal(o.Loss); err == nil && string(raw) != "{}" { // a function has no JSON
		loss += " " + string(raw)
	}
	return map[string]string{
		"loss":                loss,
		"neftune_noise_alpha": fmt.Sprint(o.NEFTuneAlpha),
		"micro_means":         fmt.Sprint(o.MicroMeans),
		"seed":                fmt.Sprint(o.Seed),
	}
}

// State implements train.Stage. A source without a cursor cannot be resumed.
func (s *stage) State() (json.RawMessage, error) {
	st := state{Steps: s.count, Data: fingerprint(s.src), Options: s.opts.identity()}
	if src, ok := s.src.(seeker); ok {
		c := src.Cursor()
		st.Cursor = &c
	}
	return json.Marshal(st)
}

// Restore implements train.Stage.
func (s *stage) Restore(raw json.RawMessage) error {
	var st state
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("sft: state: %w", err)
	}
	src, ok := s.src.(seeker)
	if !ok || st.Cursor == nil {
		return fmt.Errorf("sft: the source (%T) has no cursor, so a run over it cannot be resumed", s.src)
	}
	now := s.opts.identity()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != st.Options[name] {
			return fmt.Errorf("%w since the run began: %s: got %s, want %s as before", train.ErrOptionsChanged, name, now[name], st.Options[name])
		}
	}
	if got := fingerprint(s.src); got != st.Data {
		return fmt.Errorf("%w: got %s, want %s as before", ErrDataChanged, got, st.Data)
	}
	if err := src.Seek(*st.Cursor); err != nil {
		return fmt.Errorf("sft: state: %w", err)
	}
	s.count = st.Steps
	return nil
}

// CountSteps implements train.StepCounter where the source can count.
func (s *stage) CountSteps(epochs float64) (int, error) {
	src, ok := s.src.(interface{ Steps(epochs int) int })
	if !ok || epochs != float64(int(epochs)) {
		return 0, fmt.Errorf("sft: cannot count the steps of %g epochs of a %T; set MaxSteps", epochs, s.src)
	}
	return src.Steps(int(epochs)), nil
}

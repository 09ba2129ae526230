package reward

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/train"
)

// seeker is a source whose position can be saved; Batcher is one.
type seeker interface {
	Cursor() data.Cursor
	Seek(data.Cursor) error
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
	Options map[string]string `json:"options"`
}

// identity lists what decides what a step computes. Options that only say how much
// memory it takes may change in a run.
func (s *stage) identity() map[string]string {
	o := s.opts
	return map[string]string{
		"loss":         described(o.Loss.Name(), o.Loss),
		"micro_means":  fmt.Sprint(o.MicroMeans),
		"sum_of_means": fmt.Sprint(o.SumOfMeans),
		"labels":       fmt.Sprint(s.net.Head.Linear.Out()),
	}
}

// described is a name with the hyperparameters behind it; a function has none.
func described(name string, v any) string {
	if raw, err := json.Marshal(v); err == nil && string(raw) != "{}" {
		return name + " " + string(raw)
	}
	return name
}

// State implements train.Stage. A source without a cursor cannot be resumed.
func (s *stage) State() (json.RawMessage, error) {
	st := state{Steps: s.count, Data: fingerprint(s.src), Options: s.identity()}
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
		return fmt.Errorf("reward: state: %w", err)
	}
	src, ok := s.src.(seeker)
	if !ok || st.Cursor == nil {
		return fmt.Errorf("reward: the source (%T) has no cursor, so a run over it cannot be resumed", s.src)
	}
	now := s.identity()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != st.Options[name] {
			return fmt.Errorf("%w since the run began: %s: got %s, want %s as before", train.ErrOptionsChanged, name, now[name], st.Options[name])
		}
	}
	if got := fingerprint(s.src); got != st.Data {
		return fmt.Errorf("%w: got %s, want %s as before", ErrDataChanged, got, st.Data)
	}
	if err := src.Seek(*st.Cursor); err != nil {
		return fmt.Errorf("reward: state: %w", err)
	}
	s.count = st.Steps
	return nil
}

// CountSteps implements train.StepCounter where the source can count.
func (s *stage) CountSteps(epochs float64) (int, error) {
	src, ok := s.src.(interface{ Steps(epochs int) int })
	if !ok || epochs != float64(int(epochs)) {
		return 0, fmt.Errorf("reward: cannot count the steps of %g epochs of a %T; set MaxSteps", epochs, s.src)
	}
	return src.Steps(int(epochs)), nil
}

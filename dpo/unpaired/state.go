package unpaired

import (
	"encoding/json"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo/internal/saved"
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
	Rewards mean              `json:"rewards"` // BCO's δ
	Options map[string]string `json:"options"`
}

// identity lists what decides what a step computes. Options that only say how much
// memory it takes may change in a run.
func (s *stage) identity() map[string]string {
	return map[string]string{
		"loss":        saved.Described(s.opts.Loss.Name(), s.opts.Loss),
		"beta":        fmt.Sprint(s.opts.beta()),
		"micro_means": fmt.Sprint(s.opts.MicroMeans),
		"reference":   s.reference.Name,
	}
}

// State implements train.Stage. A source without a cursor cannot be resumed.
func (s *stage) State() (json.RawMessage, error) {
	st := state{Steps: s.count, Data: fingerprint(s.src), Rewards: s.base.running, Options: s.identity()}
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
		return fmt.Errorf("unpaired: state: %w", err)
	}
	src, ok := s.src.(seeker)
	if !ok || st.Cursor == nil {
		return fmt.Errorf("unpaired: the source (%T) has no cursor, so a run over it cannot be resumed", s.src)
	}
	if err := saved.Unchanged(s.identity(), st.Options); err != nil {
		return err
	}
	if got := fingerprint(s.src); got != st.Data {
		return fmt.Errorf("%w: got %s, want %s as before", ErrDataChanged, got, st.Data)
	}
	if err := src.Seek(*st.Cursor); err != nil {
		return fmt.Errorf("unpaired: state: %w", err)
	}
	s.count, s.base.running = st.Steps, st.Rewards
	return nil
}

// CountSteps implements train.StepCounter where the source can count.
func (s *stage) CountSteps(epochs float64) (int, error) {
	src, ok := s.src.(interface{ Steps(epochs int) int })
	if !ok || epochs != float64(int(epochs)) {
		return 0, fmt.Errorf("unpaired: cannot count the steps of %g epochs of a %T; set MaxSteps", epochs, s.src)
	}
	return src.Steps(int(epochs)), nil
}

// SaveWeights implements train.Stage.
func (s *stage) SaveWeights(dir string) error { return s.policy.Save(dir, s.opts.BaseModel) }

// LoadWeights implements train.Stage.
func (s *stage) LoadWeights(dir string) error { return s.policy.Restore(dir) }

// Export implements train.Exporter.
func (s *stage) Export(dir string) error {
	if s.opts.Export != nil {
		return s.opts.Export(dir)
	}
	return s.SaveWeights(dir)
}

package unpaired

import (
	"encoding/json"
	"fmt"

	"github.com/posttrain/posttrain/internal/saved"
)

// state is what the stage adds to a checkpoint.
type state struct {
	saved.State
	Rewards mean `json:"rewards"` // BCO's δ
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
	return json.Marshal(state{saved.New(s.src, s.count, s.identity()), s.base.running})
}

// Restore implements train.Stage.
func (s *stage) Restore(raw json.RawMessage) error {
	var st state
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("unpaired: state: %w", err)
	}
	if err := st.Resume(s.src, s.identity(), ErrDataChanged); err != nil {
		return err
	}
	s.count, s.base.running = st.Steps, st.Rewards
	return nil
}

// CountSteps implements train.StepCounter where the source can count.
func (s *stage) CountSteps(epochs float64) (int, error) {
	n, err := saved.CountSteps(s.src, epochs)
	if err != nil {
		return 0, fmt.Errorf("unpaired: %w", err)
	}
	return n, nil
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

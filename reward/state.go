package reward

import (
	"encoding/json"
	"fmt"

	"github.com/posttrain/posttrain/internal/saved"
)

// identity lists what decides what a step computes. Options that only say how much
// memory it takes may change in a run.
func (s *stage) identity() map[string]string {
	o := s.opts
	return map[string]string{
		"loss":         saved.Described(o.Loss.Name(), o.Loss),
		"micro_means":  fmt.Sprint(o.MicroMeans),
		"sum_of_means": fmt.Sprint(o.SumOfMeans),
		"labels":       fmt.Sprint(s.net.Head.Linear.Out()),
	}
}

// State implements train.Stage. A source without a cursor cannot be resumed.
func (s *stage) State() (json.RawMessage, error) {
	return json.Marshal(saved.New(s.src, s.count, s.identity()))
}

// Restore implements train.Stage.
func (s *stage) Restore(raw json.RawMessage) error {
	var st saved.State
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("reward: state: %w", err)
	}
	if err := st.Resume(s.src, s.identity(), ErrDataChanged); err != nil {
		return err
	}
	s.count = st.Steps
	return nil
}

// CountSteps implements train.StepCounter where the source can count.
func (s *stage) CountSteps(epochs float64) (int, error) {
	n, err := saved.CountSteps(s.src, epochs)
	if err != nil {
		return 0, fmt.Errorf("reward: %w", err)
	}
	return n, nil
}

package sft

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/internal/saved"
)

// ErrDataChanged is wrapped by the error about a run that is resumed over other
// data, or over the same data in another order or layout.
var ErrDataChanged = errors.New("sft: data changed since the run began")

// identity lists the options that decide what a step computes. Those that only
// say how much memory it takes may change in a run.
func (o Options) identity() map[string]string {
	return map[string]string{
		"loss":                saved.Described(o.Loss.Name(), o.Loss),
		"neftune_noise_alpha": fmt.Sprint(o.NEFTuneAlpha),
		"micro_means":         fmt.Sprint(o.MicroMeans),
		"seed":                fmt.Sprint(o.Seed),
	}
}

// State implements train.Stage. A source without a cursor cannot be resumed.
func (s *stage) State() (json.RawMessage, error) {
	return json.Marshal(saved.New(s.src, s.count, s.opts.identity()))
}

// Restore implements train.Stage.
func (s *stage) Restore(raw json.RawMessage) error {
	var st saved.State
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("sft: state: %w", err)
	}
	if err := st.Resume(s.src, s.opts.identity(), ErrDataChanged); err != nil {
		return err
	}
	s.count = st.Steps
	return nil
}

// CountSteps implements train.StepCounter where the source can count.
func (s *stage) CountSteps(epochs float64) (int, error) {
	n, err := saved.CountSteps(s.src, epochs)
	if err != nil {
		return 0, fmt.Errorf("sft: %w", err)
	}
	return n, nil
}

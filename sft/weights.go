package sft

import (
	"path/filepath"

	"github.com/posttrain/posttrain/internal/policy"
)

// SaveWeights implements train.Stage: a PEFT folder for an adapter, else
// model.safetensors with every trained weight.
func (s *stage) SaveWeights(dir string) error {
	if a := s.policy.tuner(); a != nil {
		return a.Save(dir, s.opts.BaseModel)
	}
	return policy.SaveParams(filepath.Join(dir, policy.WeightsFile), s.params)
}

// LoadWeights implements train.Stage. On failure nothing has changed, but for an
// adapter or a file that cannot be read to its end.
func (s *stage) LoadWeights(dir string) error {
	if a := s.policy.tuner(); a != nil {
		return a.Restore(dir)
	}
	return policy.LoadParams(filepath.Join(dir, policy.WeightsFile), s.params)
}

// Export implements train.Exporter.
func (s *stage) Export(dir string) error {
	if s.opts.Export != nil {
		return s.opts.Export(dir)
	}
	return s.SaveWeights(dir)
}

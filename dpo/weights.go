package dpo

import "errors"

// SaveWeights implements train.Stage: what Policy.Save writes, and a reference that
// moves beside it.
func (s *stage) SaveWeights(dir string) error {
	return errors.Join(s.policy.Save(dir, s.opts.BaseModel), s.follower.save(dir))
}

// LoadWeights implements train.Stage.
func (s *stage) LoadWeights(dir string) error {
	return errors.Join(s.policy.Restore(dir), s.follower.load(dir))
}

// Export implements train.Exporter.
func (s *stage) Export(dir string) error {
	if s.opts.Export != nil {
		return s.opts.Export(dir)
	}
	return s.policy.Save(dir, s.opts.BaseModel)
}

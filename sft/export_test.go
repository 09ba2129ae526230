package sft

// SaveWeights and LoadWeights are the stage's, for tests of its files.
func (t *Trainer) SaveWeights(dir string) error { return t.stage.SaveWeights(dir) }

// LoadWeights is the stage's.
func (t *Trainer) LoadWeights(dir string) error { return t.stage.LoadWeights(dir) }

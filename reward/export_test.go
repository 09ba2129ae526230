package reward

import "github.com/posttrain/posttrain/train"

// MetricsOf are the metrics of a micro-batch with given scores.
func MetricsOf(l Loss, b *Batch, scores []float64) map[string]float64 {
	x := measurement{traits: l.Traits(), scores: scores}
	x.reset()
	var m train.Metrics
	x.book(&m, b)
	all := map[string]float64{}
	for name, v := range m.All() {
		all[name] = v
	}
	return all
}

// SaveWeights and LoadWeights are the stage's, for tests of its files.
func (t *Trainer) SaveWeights(dir string) error { return t.stage.SaveWeights(dir) }

// LoadWeights is the stage's.
func (t *Trainer) LoadWeights(dir string) error { return t.stage.LoadWeights(dir) }

package train

// Companion has a hand in every optimizer step of a run, whatever its stage: it can
// add to the gradients, and change the weights after the optimizer did. AdaLoRA's
// allocation of ranks is one (package adalora).
type Companion interface {
	// Gradients is called when the gradients of a step are complete, after
	// Stage.Collect and before they are clipped. The loss among the metrics may be
	// added to.
	Gradients(step int, m *Metrics) error
	// Updated is called when the weights have moved.
	Updated(step int) error
	// SaveState writes what LoadState needs beside the stage's files.
	SaveState(dir string) error
	// LoadState restores it, after Stage.LoadWeights.
	LoadState(dir string) error
}

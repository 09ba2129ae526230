package train

import "context"

// Hooks are called by Train as things happen. Each may be nil; an error ends
// the run. What they receive is valid during the call only.
type Hooks struct {
	// Step is called after every optimizer step.
	Step func(Step) error
}

// Train runs the training to its end. See Steps for how it ends early.
func (t *Trainer) Train(ctx context.Context, h Hooks) error {
	t.hooks = h
	defer func() { t.hooks = Hooks{} }()
	for _, err := range t.Steps(ctx) {
		if err != nil {
			return err
		}
	}
	return nil
}

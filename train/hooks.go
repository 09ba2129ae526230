package train

import (
	"context"
	"fmt"
)

// Hooks are called by Train as things happen. Each may be nil; an error ends
// the run. What they receive is valid during the call only.
type Hooks struct {
	// Step is called after every optimizer step.
	Step func(Step) error
	// Event is called for everything that happens, steps included (before
	// Step). A program that prints JSON lines needs nothing else:
	// Event.AppendJSON is the line.
	Event func(Event) error
}

// Train runs the training to its end. See Steps for how it ends early. Training
// that was finished before does nothing.
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

// stepHook calls Hooks.Step.
func (t *Trainer) stepHook(s Step) error {
	if t.hooks.Step == nil {
		return nil
	}
	if err := t.hooks.Step(s); err != nil {
		return t.fail(fmt.Errorf("train: step %d: Step hook: %w", s.N, err))
	}
	return nil
}

// Save writes a checkpoint of the run as it stands, for example after ctx has
// ended. It does nothing when the newest checkpoint is of this state. Without
// Options.Out, or after an error that ended the run, it fails.
func (t *Trainer) Save() error {
	if t.failed != nil {
		return fmt.Errorf("train: nothing to save after an error: %w", t.failed)
	}
	if t.folder == nil {
		return fmt.Errorf("%w: train: Options.Out: got none, want a run folder to save to", ErrOptions)
	}
	if t.logs != nil { // called from a hook or from the body of Steps
		return t.save()
	}
	if err := t.openLogs(); err != nil {
		return err
	}
	err := t.save()
	if e := t.closeLogs(); err == nil {
		err = e
	}
	return err
}

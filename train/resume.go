package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
)

// openTrainer gives a trainer its run folder, and the state of the run in there.
func openTrainer(t *Trainer, d disk) (*Trainer, error) {
	f := &folder{dir: t.options.Out, disk: d}
	fresh, err := f.inspect(t.options.Resume)
	if err != nil {
		return nil, err
	}
	t.folder = f
	if !fresh {
		if err := t.resume(); err != nil {
			return nil, err
		}
		return t, nil
	}
	raw, err := json.Marshal(t.options)
	if err != nil {
		return nil, fmt.Errorf("train: options: %w", err)
	}
	f.fresh = true
	f.run = runFile{Format: runFormat, Stage: t.stage.Name(), Machine: ThisMachine(t.device), Options: raw}
	return t, nil
}

// resume goes back to the newest good checkpoint, or to the start of a run that
// was stopped before its first.
func (t *Trainer) resume() error {
	f := t.folder
	if f.run.Stage != t.stage.Name() {
		return fmt.Errorf("%w since the run began: stage: got %s, want %s as before", ErrOptionsChanged, t.stage.Name(), f.run.Stage)
	}
	if err := compareOptions(f.run.Options, t.options); err != nil {
		return err
	}
	if err := f.mend(); err != nil {
		return fmt.Errorf("train: run folder: %w", err)
	}
	steps, err := f.steps()
	if err != nil {
		return fmt.Errorf("train: run folder: %w", err)
	}
	var damaged []error
	for _, step := range steps {
		err := t.load(f.checkpoint(checkpointName(step)))
		if err == nil {
			if t.finished = f.run.Finished && t.progress.Ended; t.finished {
				t.rest()
			}
			t.options.Logger.Info("resumed", "stage", t.stage.Name(), "step", t.progress.Step, "finished", t.finished)
			return nil
		}
		if !errors.Is(err, ErrCorrupt) {
			return err
		}
		t.options.Logger.Warn("checkpoint is damaged, trying the one before", "step", step, "error", err)
		damaged = append(damaged, err)
		if err := f.setAside(step); err != nil {
			return fmt.Errorf("train: run folder: %w", err)
		}
	}
	if len(damaged) > 0 {
		return fmt.Errorf("train: no checkpoint in %s can be read: %w", f.path(checkpointsDir), errors.Join(damaged...))
	}
	return nil
}

// setAside renames a damaged checkpoint, so that retention does not count it.
func (f *folder) setAside(step int) error {
	name := checkpointName(step)
	if err := f.disk.RemoveAll(f.checkpoint(badPrefix + name)); err != nil {
		return err
	}
	return f.disk.Rename(f.checkpoint(name), f.checkpoint(badPrefix+name))
}

// load restores a checkpoint. Errors that wrap ErrCorrupt have changed nothing.
func (t *Trainer) load(dir string) error {
	if err := verify(dir); err != nil {
		return err
	}
	raw, err := readBounded(filepath.Join(dir, stateName), maxJSON)
	if err != nil {
		return corrupt(err)
	}
	s, err := t.parseState(raw)
	if err != nil {
		return fmt.Errorf("train: checkpoint %s: %s: %w", dir, stateName, err)
	}
	if err := t.stage.LoadWeights(dir); err != nil {
		return fmt.Errorf("train: checkpoint %s: stage %s: load weights: %w", dir, t.stage.Name(), err)
	}
	if c := t.options.Companion; c != nil {
		if err := c.LoadState(dir); err != nil {
			return fmt.Errorf("train: checkpoint %s: companion: %w", dir, err)
		}
	}
	if err := loadMoments(filepath.Join(dir, optimizerName), t.optimizer.State()); err != nil {
		return fmt.Errorf("train: checkpoint %s: %w", dir, err)
	}
	for _, p := range t.params {
		p.Changed() // State may hold the parameters' own memory (EvalPoint)
	}
	if err := t.stage.Restore(s.Position); err != nil {
		return fmt.Errorf("train: checkpoint %s: stage %s: restore: %w", dir, t.stage.Name(), err)
	}
	t.progress, t.saved = s.standing, s.standing
	t.first, t.latest = s.First, s.Latest
	t.folder.lengths = s.Files
	return nil
}

// parseState reads state.json and checks that it fits; the schedule's state is
// restored on the way.
func (t *Trainer) parseState(raw []byte) (*checkpointState, error) {
	var s checkpointState
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	if s.Format != runFormat {
		return nil, fmt.Errorf("format: got %d, want %d", s.Format, runFormat)
	}
	if s.Stage != t.stage.Name() {
		return nil, fmt.Errorf("stage: got %q, want %q", s.Stage, t.stage.Name())
	}
	if s.Step < 0 || s.Tokens < 0 {
		return nil, fmt.Errorf("got step %d and num_tokens %d, want at least 0", s.Step, s.Tokens)
	}
	if err := compareOptions(s.Options, t.options); err != nil {
		return nil, err
	}
	if (t.reaction != nil) != (len(s.Reaction) > 0) {
		return nil, fmt.Errorf("reaction: got %.40q for schedule %s", s.Reaction, t.options.Schedule.Name())
	}
	if t.reaction != nil {
		if err := json.Unmarshal(s.Reaction, t.reaction); err != nil {
			return nil, fmt.Errorf("reaction: %w", err)
		}
	}
	return &s, nil
}

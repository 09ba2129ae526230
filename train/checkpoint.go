package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Names in a checkpoint, beside the stage's files.
const (
	stateName     = "state.json"
	optimizerName = "optimizer.safetensors"
	stepPrefix    = "step-"
	oldPrefix     = ".old-"
	badPrefix     = "bad-"
)

// checkpointState is state.json.
type checkpointState struct {
	Format int    `json:"format"`
	Stage  string `json:"stage"`
	standing
	// First and Latest are the evaluations before the first step and the last
	// one.
	First  *Metrics `json:"first_evaluation,omitempty"`
	Latest *Metrics `json:"latest_evaluation,omitempty"`
	// Reaction is the state of a schedule that reacts.
	Reaction json.RawMessage `json:"reaction,omitempty"`
	// Position is Stage.State.
	Position json.RawMessage `json:"stage_state"`
	// Files are the lengths of the run folder's log files.
	Files   map[string]int64 `json:"files"`
	Options json.RawMessage  `json:"options"`
}

func checkpointName(step int) string { return fmt.Sprintf("%s%06d", stepPrefix, step) }

// checkpointStep is the step of a checkpoint's name.
func checkpointStep(name string) (step int, ok bool) {
	digits, ok := strings.CutPrefix(name, stepPrefix)
	if !ok {
		return 0, false
	}
	step, err := strconv.Atoi(digits)
	return step, err == nil && checkpointName(step) == name
}

// writeCheckpoint makes a complete checkpoint under its name, or changes nothing.
func (t *Trainer) writeCheckpoint() error {
	f := t.folder
	name := checkpointName(t.progress.Step)
	scratch, home := f.checkpoint(scratchPrefix+name), f.checkpoint(name)
	if err := t.fill(scratch); err != nil {
		return errors.Join(err, f.disk.RemoveAll(scratch))
	}
	_, err := os.Stat(home)
	if err != nil {
		return f.disk.Rename(scratch, home)
	}
	// The same step again, with an evaluation more. The old one stays until the
	// new one is in place; mend brings it back after a crash in between.
	old := f.checkpoint(oldPrefix + name)
	if err := f.disk.Rename(home, old); err != nil {
		return err
	}
	if err := f.disk.Rename(scratch, home); err != nil {
		return err
	}
	return f.disk.RemoveAll(old)
}

// fill writes the files of a checkpoint into a fresh folder and forces them to
// disk.
func (t *Trainer) fill(dir string) error {
	d := t.folder.disk
	if err := d.RemoveAll(dir); err != nil {
		return err
	}
	if err := d.MkdirAll(dir); err != nil {
		return err
	}
	if err := t.stage.SaveWeights(dir); err != nil {
		return fmt.Errorf("stage %s: save weights: %w", t.stage.Name(), err)
	}
	if c := t.options.Companion; c != nil {
		if err := c.SaveState(dir); err != nil {
			return fmt.Errorf("companion: save: %w", err)
		}
	}
	for _, name := range []string{stateName, optimizerName, sumsName} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("stage %s: save weights: got a file %s, want another name", t.stage.Name(), name)
		}
	}
	if err := saveMoments(filepath.Join(dir, optimizerName), t.optimizer.State()); err != nil {
		return err
	}
	state, err := t.state()
	if err != nil {
		return err
	}
	if err := d.WriteFile(filepath.Join(dir, stateName), state); err != nil {
		return err
	}
	return t.seal(dir)
}

// seal writes the checksums and syncs every file and folder.
func (t *Trainer) seal(dir string) error {
	d := t.folder.disk
	names, err := listFiles(dir)
	if err != nil {
		return err
	}
	sums, err := sumFiles(dir, names)
	if err != nil {
		return err
	}
	if err := d.WriteFile(filepath.Join(dir, sumsName), sums); err != nil {
		return err
	}
	synced := map[string]bool{}
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := d.Sync(path); err != nil {
			return err
		}
		// Folders of the stage are rare; each is synced once.
		for sub := filepath.Dir(path); sub != dir && !synced[sub]; sub = filepath.Dir(sub) {
			if err := d.Sync(sub); err != nil {
				return err
			}
			synced[sub] = true
		}
	}
	return d.Sync(dir)
}

// state is the content of state.json.
func (t *Trainer) state() ([]byte, error) {
	s := checkpointState{
		Format: runFormat, Stage: t.stage.Name(), standing: t.progress,
		First: t.first, Latest: t.latest, Files: t.logs.lengths(), Options: t.folder.run.Options,
	}
	var err error
	if s.Position, err = t.stage.State(); err != nil {
		return nil, fmt.Errorf("stage %s: state: %w", t.stage.Name(), err)
	}
	if t.reaction != nil {
		if s.Reaction, err = json.Marshal(t.reaction); err != nil {
			return nil, fmt.Errorf("schedule %s: state: %w", t.options.Schedule.Name(), err)
		}
	}
	raw, err := json.MarshalIndent(&s, "", "  ")
	return append(raw, '\n'), err
}

// point writes the name of a checkpoint into checkpoints/last or best.
func (f *folder) point(pointer string, step int) error {
	return replaceFile(f.disk, f.checkpoint(pointer), []byte(checkpointName(step)+"\n"))
}

// retain removes old checkpoints, all but the newest keep of them and best.
func (f *folder) retain(keep, best int) error {
	steps, err := f.steps()
	if err != nil || keep < 0 {
		return err
	}
	for i, step := range steps {
		if i >= keep && step != best {
			if err := f.disk.RemoveAll(f.checkpoint(checkpointName(step))); err != nil {
				return err
			}
		}
	}
	return nil
}

// steps lists the checkpoints that are there, newest first.
func (f *folder) steps() ([]int, error) {
	entries, err := os.ReadDir(f.path(checkpointsDir))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var steps []int
	for _, e := range entries {
		if step, ok := checkpointStep(e.Name()); ok && e.IsDir() {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	slices.Reverse(steps)
	return steps, nil
}

// mend cleans up after a process that was killed while it saved.
func (f *folder) mend() error {
	entries, err := os.ReadDir(f.path(checkpointsDir))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range entries {
		path := f.checkpoint(e.Name())
		name, old := strings.CutPrefix(e.Name(), oldPrefix)
		switch {
		case strings.HasPrefix(e.Name(), scratchPrefix):
			err = f.disk.RemoveAll(path)
		case old:
			if _, missing := os.Stat(f.checkpoint(name)); missing != nil {
				err = f.disk.Rename(path, f.checkpoint(name))
			} else {
				err = f.disk.RemoveAll(path)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

package houlsby

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/internal/folder"
)

// ErrWeights is wrapped by errors about the tensors of an adapter's file.
var ErrWeights = folder.ErrWeights

// PEFTType is what adapter_config.json of such a folder says it holds.
const PEFTType = "HOULSBY"

// configFile is adapter_config.json.
type configFile struct {
	PEFTType   string   `json:"peft_type"`
	TaskType   string   `json:"task_type"`
	BaseModel  string   `json:"base_model_name_or_path"`
	Width      int      `json:"bottleneck"`
	Activation string   `json:"non_linearity"`
	Targets    []string `json:"target_modules"`
}

// config is what the file asks for, or what is wrong with it.
func (f configFile) config() (Config, error) {
	if f.PEFTType != PEFTType {
		return Config{}, fmt.Errorf("%w: peft_type is %q, want %q", ErrConfig, f.PEFTType, PEFTType)
	}
	if f.Width < 1 || len(f.Targets) == 0 {
		return Config{}, fmt.Errorf("%w: bottleneck is %d and target_modules %q, want 1 to %d and names", ErrConfig, f.Width, f.Targets, maxWidth)
	}
	c := Config{Width: f.Width, Activation: f.Activation, Targets: f.Targets, BaseModel: f.BaseModel, TaskType: f.TaskType}
	return c, c.Validate()
}

// Load attaches the adapter in a folder that Save wrote to m under a name that is
// not in use. Its parameters are frozen; SetTrainable makes training go on.
func Load(m model.Model, name, dir string) (*Adapter, error) {
	var f configFile
	if err := folder.ReadConfig(dir, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c, err := f.config()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if err := folder.Holds(filepath.Join(dir, folder.WeightsFile), 2*c.Width*m.Config().HiddenSize); err != nil {
		return nil, fmt.Errorf("houlsby: %w", err)
	}
	a, err := newAdapter(m, name, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if err := a.Restore(dir); err != nil {
		return nil, err
	}
	a.attach()
	return a, nil
}

// stored lists the parameters by their names in the file.
func (a *Adapter) stored() []folder.Tensor {
	var list []folder.Tensor
	for name, p := range a.Params() {
		list = append(list, folder.Tensor{Name: name, Param: p})
	}
	return list
}

// Restore overwrites the adapter's values with those of a folder that Save wrote
// for an adapter on the same layers with the same width. On failure the values may
// be a mixture.
func (a *Adapter) Restore(dir string) error {
	if err := folder.Read(filepath.Join(dir, folder.WeightsFile), a.stored()); err != nil {
		return fmt.Errorf("houlsby: %w", err)
	}
	return nil
}

// Save writes the adapter as a folder, which is created if it is missing. The
// folder says that the adapter belongs to base, the name of a model or a path; ""
// stands for what Config says.
func (a *Adapter) Save(dir, base string) error {
	f := configFile{
		PEFTType: PEFTType, TaskType: a.config.TaskType, BaseModel: a.config.BaseModel,
		Width: a.config.Width, Activation: a.config.Activation, Targets: a.config.Targets,
	}
	if base != "" {
		f.BaseModel = base
	}
	err := os.MkdirAll(dir, 0o777)
	if err == nil {
		err = folder.Write(filepath.Join(dir, folder.WeightsFile), a.stored())
	}
	if err == nil {
		err = folder.WriteConfig(dir, f)
	}
	if err != nil {
		return fmt.Errorf("houlsby: %w", err)
	}
	return nil
}

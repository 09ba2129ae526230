package auto

import (
	"encoding/json"
	"fmt"
	"iter"
	"path/filepath"
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/houlsby"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/soft"
	"github.com/posttrain/posttrain/tensor"
)

// Adapter is what adapters of all kinds have in common: those of package lora,
// virtual tokens of package soft, bottlenecks of package houlsby. It is what
// sft.Policy takes as its Tuner.
type Adapter interface {
	// Name is what graphs call the adapter.
	Name() string
	// Params lists the adapter's parameters in a stable order.
	Params() iter.Seq2[string, *tensor.Param]
	// SetTrainable gives every parameter a gradient accumulator, or takes it away.
	SetTrainable(on bool) error
	// Save writes the adapter as a folder that belongs to the model base.
	Save(dir, base string) error
	// Restore reads the values that Save wrote.
	Restore(dir string) error
	// Remove detaches the adapter from its model.
	Remove()
}

var (
	_ Adapter = (*lora.Adapter)(nil)
	_ Adapter = (*soft.Prompt)(nil)
	_ Adapter = (*houlsby.Adapter)(nil)
)

// adapterFile is the configuration in an adapter's folder.
const adapterFile = "adapter_config.json"

// OpenAdapter attaches the adapter in a folder to m under a name that is not in
// use, whatever its kind: peft_type in adapter_config.json tells. Its parameters
// are frozen. What is wrong with a folder is reported as by the package of its
// kind.
func OpenAdapter(m model.Model, name, dir string) (Adapter, error) {
	path := filepath.Join(dir, adapterFile)
	raw, err := readSmall(path)
	if err != nil {
		return nil, fmt.Errorf("auto: no adapter: %w", err)
	}
	var f struct {
		Type string `json:"peft_type"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("auto: %s: %w", path, err)
	}
	switch {
	case slices.Contains([]string{soft.PromptTuning.String(), soft.PrefixTuning.String(), soft.PTuning.String()}, f.Type):
		return opened(soft.Load(m, name, dir))
	case f.Type == houlsby.PEFTType:
		return opened(houlsby.Load(m, name, dir))
	}
	return opened(lora.Load(m, name, dir)) // which knows the other types of PEFT, or refuses them
}

// opened keeps a nil pointer from becoming an Adapter.
func opened[A Adapter](a A, err error) (Adapter, error) {
	if err != nil {
		return nil, err
	}
	return a, nil
}

package houlsby

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/tensor"
)

// ErrConfig is wrapped by errors about an adapter's configuration.
var ErrConfig = errors.New("houlsby: configuration is wrong")

// maxWidth bounds the bottleneck, which a file may claim.
const maxWidth = 1 << 20

// Outputs are the last parts of the paths of the layers whose outputs are those of
// attention and feed-forward blocks, in all families.
func Outputs() []string { return []string{"o_proj", "down_proj", "c_proj", "dense", "dense_4h_to_h"} }

// Config says what adapters there are. The zero value has a bottleneck of 64 and a
// GELU, after attention and feed-forward block of every layer.
type Config struct {
	Width int // of the bottleneck; 0 means 64, the paper tries 8 to 256
	// Activation is the function between the layers, by its name in config.json of
	// models; "" means "gelu".
	Activation string
	// Targets are module names: the output of a layer is adapted when its path
	// equals one of them or ends in a dot and one of them. Nil means Outputs.
	Targets []string
	// Seed keys the initial values. It is not written to a folder.
	Seed uint64

	// BaseModel and TaskType are what a folder says about the model that the
	// adapter belongs to. They are kept and written, and influence nothing here.
	// TaskType "" means CAUSAL_LM.
	BaseModel, TaskType string
}

func (c Config) withDefaults() Config {
	if c.Width == 0 {
		c.Width = 64
	}
	if c.Activation == "" {
		c.Activation = "gelu"
	}
	if c.Targets == nil {
		c.Targets = Outputs()
	}
	if c.TaskType == "" {
		c.TaskType = "CAUSAL_LM"
	}
	return c
}

// Validate reports everything wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Width < 0 || c.Width > maxWidth {
		errs = append(errs, fmt.Errorf("%w: width is %d, want 1 to %d (0 for 64)", ErrConfig, c.Width, maxWidth))
	}
	if c.Activation != "" {
		if _, err := tensor.ParseActivation(c.Activation); err != nil {
			errs = append(errs, fmt.Errorf("%w: %w", ErrConfig, err))
		}
	}
	if slices.Contains(c.Targets, "") {
		errs = append(errs, fmt.Errorf("%w: a target has no name", ErrConfig))
	}
	return errors.Join(errs...)
}

// adapts says whether the layer at path is a target.
func (c Config) adapts(path string) bool {
	return !strings.Contains(path, ".experts.") && slices.ContainsFunc(c.Targets, func(t string) bool { return path == t || strings.HasSuffix(path, "."+t) })
}

package tiny

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/model/auto"
)

// checkpoint is a Hugging Face folder.
//
//go:embed checkpoint
var checkpoint embed.FS

// folder is the name of the folder in checkpoint.
const folder = "checkpoint"

// Open opens the embedded model.
func Open(o auto.Options) (c *auto.Checkpoint, err error) {
	dir, err := os.MkdirTemp("", "posttrain-tiny-")
	if err != nil {
		return nil, fmt.Errorf("tiny: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := Extract(dir); err != nil {
		return nil, err
	}
	o.Mapped = false // the files are gone when Open returns
	if c, err = auto.Open(dir, o); err != nil {
		return nil, fmt.Errorf("tiny: %w", err)
	}
	c.Path = "the embedded tiny model"
	return c, nil
}

// Extract writes the embedded model as a Hugging Face folder.
func Extract(dir string) error {
	files, err := checkpoint.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("tiny: %w", err)
	}
	for _, f := range files {
		raw, err := checkpoint.ReadFile(folder + "/" + f.Name())
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, f.Name()), raw, 0o644)
		}
		if err != nil {
			return fmt.Errorf("tiny: %w", err)
		}
	}
	return nil
}
